//! Pipelines: what each transformation and condition makes of a rule, and how rules are held to their log source.
//!
//! A rule after its pipelines is shown as lines, `selection: field|modifier = value | value`, so that a case reads
//! like what it asks for.

use tripline::diag::Diagnostic;
use tripline::diag::render::render_text;
use tripline::import::sigma::model::{Detection, DetectionRule, Document, Text, Tree};
use tripline::import::sigma::pipeline::{self, Pipeline, Pipelines};
use tripline::import::sigma::read;
use tripline::syntax::source::SourceMap;

fn rule(text: &str) -> DetectionRule {
    let mut sources = SourceMap::new();
    let id = sources.add("rule.yml", text);
    let (documents, problems) = read(id, text);
    assert!(problems.is_empty(), "{}", render_text(&problems, &sources, false));
    match documents.into_iter().next() {
        Some(Document::Detection(rule)) => *rule,
        other => panic!("no rule: {other:?}"),
    }
}

fn try_pipeline(text: &str) -> (Option<Pipeline>, Vec<Diagnostic>, String) {
    let mut sources = SourceMap::new();
    let id = sources.add("pipeline.yml", text);
    let (pipeline, problems) = pipeline::read(id, text);
    let shown = render_text(&problems, &sources, false);
    (pipeline, problems, shown)
}

fn pipeline(text: &str) -> Pipeline {
    let (pipeline, problems, shown) = try_pipeline(text);
    assert!(problems.is_empty(), "{shown}");
    pipeline.expect("a pipeline without problems is read")
}

fn tree(tree: &Tree) -> String {
    match tree {
        Tree::All(items, _) => {
            let shown: Vec<String> = items
                .iter()
                .map(|item| {
                    let fields: Vec<&str> = item.field.iter().chain(&item.also).map(Text::as_str).collect();
                    let mut key = vec![fields.join("/")];
                    key.extend(item.modifiers.iter().map(|word| word.value.clone()));
                    let values: Vec<&str> = item.values.iter().map(|value| value.text.as_str()).collect();
                    format!("{} = {}", key.join("|"), values.join(" | "))
                })
                .collect();
            shown.join(", ")
        }
        Tree::Any(trees, _) => format!("[{}]", trees.iter().map(self::tree).collect::<Vec<_>>().join("; ")),
    }
}

fn shown(detection: &Detection) -> String {
    let mut lines: Vec<String> = detection.besides.iter().map(|besides| format!("+ {}", shown(besides))).collect();
    for selection in &detection.selections {
        lines.push(format!("{}: {}", selection.name.as_str(), tree(&selection.tree)));
    }
    if detection.conditions.iter().any(|c| c.as_str().starts_with("not ")) {
        lines.push("negated".into());
    }
    lines.join("\n")
}

/// The selections of a rule after one pipeline, without routing.
fn after(pipeline_text: &str, rule_text: &str) -> String {
    let (problems, shown) = outcome(pipeline_text, rule_text);
    assert!(problems.is_empty(), "{problems:?}");
    shown
}

fn outcome(pipeline_text: &str, rule_text: &str) -> (Vec<Diagnostic>, String) {
    let pipelines = Pipelines::new(&["none"], vec![pipeline(pipeline_text)]).expect("`none` is a name");
    let mut rule = rule(rule_text);
    let applied = pipelines.apply(&mut rule);
    assert_eq!(applied.refused, !applied.problems.is_empty());
    assert!(!applied.unknown_source);
    (applied.problems, shown(&rule.detection))
}

fn of(selection: &str) -> String {
    format!(
        "title: T\nid: 11111111-0000-4000-8000-000000000001\nstatus: test\nlevel: high\ntags: [attack.t1059]\nlogsource:\n  product: windows\n  category: process_creation\ndetection:\n  sel:\n{}\n  condition: sel\n",
        selection.lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
    )
}

fn step(text: &str) -> String {
    let mut lines = text.trim().lines();
    let first = lines.next().unwrap_or_default();
    let rest: String = lines.map(|line| format!("    {line}\n")).collect();
    format!("name: p\ntransformations:\n  - {first}\n{rest}")
}

#[test]
fn names_of_fields_are_mapped_to_one_and_to_several() {
    let mapping =
        step("type: field_name_mapping\nmapping:\n  Image: process.executable\n  User: [user.name, winlog.user]");
    assert_eq!(
        after(&mapping, &of("Image|endswith: '\\cmd.exe'\nUser: bob\nOther: 1")),
        "sel: process.executable|endswith = \\cmd.exe, user.name/winlog.user = bob, Other = 1"
    );
    // The name that a value refers to is a name as well.
    assert_eq!(after(&mapping, &of("Owner|fieldref: Image")), "sel: Owner|fieldref = process.executable");
}

#[test]
fn prefixes_and_suffixes() {
    assert_eq!(after(&step("type: field_name_prefix\nprefix: win."), &of("Image: a")), "sel: win.Image = a");
    assert_eq!(after(&step("type: field_name_suffix\nsuffix: .text"), &of("Image: a")), "sel: Image.text = a");
    let mapping = step("type: field_name_prefix_mapping\nmapping:\n  win.: [w., x.]");
    assert_eq!(after(&mapping, &of("win.a: 1\nb: 2")), "sel: w.a/x.a = 1, b = 2");
    // Keywords have no field.
    let words = "title: T\nlogsource:\n  product: linux\ndetection:\n  words:\n    - a\n    - b\n  condition: words\n";
    assert_eq!(after(&step("type: field_name_prefix\nprefix: win."), words), "words:  = a | b");
}

#[test]
fn conditions_are_added() {
    let added = step("type: add_condition\nconditions:\n  index: [a, b]\n  path|contains: x");
    assert_eq!(after(&added, &of("Image: a")), "+ added: index = a | b, path|contains = x\nsel: Image = a");
    let negated = step("type: add_condition\nnegated: true\nconditions:\n  index: a");
    assert_eq!(after(&negated, &of("Image: a")), "+ added: index = a\nnegated\nsel: Image = a");
    let template = step("type: add_condition\ntemplate: true\nconditions:\n  source: $product-${category}-$service.");
    assert_eq!(after(&template, &of("Image: a")), "+ added: source = windows-process_creation-.\nsel: Image = a");
    // What comes behind sees what was added.
    let both = "name: p\ntransformations:\n  - type: add_condition\n    conditions: {EventID: 1}\n  - type: field_name_prefix\n    prefix: w.\n";
    assert_eq!(after(both, &of("Image: a")), "+ added: w.EventID = 1\nsel: w.Image = a");
}

#[test]
fn a_changed_log_source_is_seen_by_what_follows() {
    let text = "name: p\ntransformations:\n  - type: change_logsource\n    product: linux\n    service: auditd\n  - type: set_value\n    value: x\n    rule_conditions:\n      - {type: logsource, product: linux, service: auditd}\n";
    assert_eq!(after(text, &of("Image: a")), "sel: Image = x");
}

#[test]
fn items_are_dropped_but_never_a_whole_selection() {
    let drop = step("type: drop_detection_item\nfield_name_conditions:\n  - {type: include_fields, fields: [B]}");
    assert_eq!(after(&drop, &of("A: 1\nB: 2")), "sel: A = 1");
    assert_eq!(after(&drop, &of("- A: 1\n- B: 2")), "sel: [A = 1]");
    let (problems, _) = outcome(&drop, &of("B: 2"));
    assert_eq!(problems[0].code.0, "E0841");
    assert_eq!(problems[0].message, "a pipeline drops all of the selection `sel`");
}

#[test]
fn hashes_become_fields() {
    let hashes = step("type: hashes_fields\nvalid_hash_algos: [MD5, SHA1, SHA256, IMPHASH]\nfield_prefix: File");
    assert_eq!(
        after(
            &hashes,
            &of("A: 1\nHashes|contains:\n  - MD5=00112233445566778899aabbccddeeff\n  - SHA1=aa\n  - SHA1=bb")
        ),
        "sel: [A = 1, FileMD5 = 00112233445566778899aabbccddeeff; A = 1, FileSHA1 = aa | bb]"
    );
    assert_eq!(
        after(&hashes, &of("Hashes: 00112233445566778899aabbccddeeff")),
        "sel: FileMD5 = 00112233445566778899aabbccddeeff"
    );
    let (problems, _) = outcome(&hashes, &of("Hashes|contains: CRC=12"));
    assert_eq!(problems[0].message, "`CRC=12` is no hash of a kind that the pipeline knows");
}

#[test]
fn placeholders_get_values() {
    let values = "name: p\nvars:\n  admins: [root, Administrator]\n  hosts: [h1, h2]\ntransformations:\n  - type: value_placeholders\n";
    assert_eq!(after(values, &of("User|expand: '%admins%'")), "sel: User = root | Administrator");
    assert_eq!(
        after(values, &of("User|contains|expand: 'x\\%admins%@%hosts%'")),
        "sel: User|contains = x\\root@h1 | x\\root@h2 | x\\Administrator@h1 | x\\Administrator@h2"
    );
    // Without `expand` a per cent sign is one.
    assert_eq!(after(values, &of("User: '%admins%'")), "sel: User = %admins%");
    let (problems, _) = outcome(values, &of("User|expand: '%others%'"));
    assert_eq!(problems[0].message, "the placeholder `%others%` has no values");
    let stars = step("type: wildcard_placeholders\ninclude: [admins]");
    assert_eq!(after(&stars, &of("User|expand: 'a%admins%b'")), "sel: User = a*b");
    assert_eq!(after(&stars, &of("User|expand: '%others%'")), "sel: User|expand = %others%");
    let but = "name: p\nvars: {a: x, b: y}\ntransformations:\n  - type: value_placeholders\n    exclude: [b]\n";
    assert_eq!(after(but, &of("User|expand: '%a%%b%'")), "sel: User|expand = x%b%");
}

#[test]
fn values_are_replaced() {
    let replace = step("type: replace_string\nregex: '^\\*\\\\(.*)\\.exe$'\nreplacement: '\\1.bin'");
    assert_eq!(after(&replace, &of("Image|endswith: '\\cmd.exe'")), "sel: Image = cmd.bin");
    let keep = step("type: replace_string\nregex: cmd\nreplacement: sh");
    assert_eq!(after(&keep, &of("Image|contains: cmd\nOther|re: cmd")), "sel: Image|contains = sh, Other|re = cmd");
    let map = step("type: map_string\nmapping:\n  a: b\n  c: [d, e]");
    assert_eq!(after(&map, &of("X: [a, c, f]\nY: 5")), "sel: X = b | d | e | f, Y = 5");
    assert_eq!(after(&step("type: set_value\nvalue: 7"), &of("X|contains: [a, b]")), "sel: X = 7");
    assert_eq!(
        after(&step("type: case\nmethod: upper"), &of("X|contains: aB\nY|re: aB")),
        "sel: X|contains = AB, Y|re = aB"
    );
    assert_eq!(after(&step("type: case\nmethod: snake_case"), &of("X: aBcDef")), "sel: X = a_bc_def");
    assert_eq!(after(&step("type: convert_type\ntarget_type: num"), &of("X: '5'")), "sel: X = 5");
    let (problems, _) = outcome(&step("type: convert_type\ntarget_type: num"), &of("X: five"));
    assert_eq!(problems[0].message, "a pipeline asks for a number, and `five` is none");
}

#[test]
fn failures_refuse_the_rule() {
    let failure = step(
        "type: rule_failure\nmessage: not here\nrule_conditions:\n  - {type: logsource, category: process_creation}",
    );
    let (problems, _) = outcome(&failure, &of("X: 1"));
    assert_eq!(problems[0].message, "a pipeline refuses the rule: not here");
    let item = step(
        "type: detection_item_failure\nmessage: no users\nfield_name_conditions:\n  - {type: include_fields, fields: [User]}",
    );
    assert_eq!(after(&item, &of("X: 1")), "sel: X = 1");
    assert_eq!(outcome(&item, &of("User: 1")).0[0].message, "a pipeline refuses this: no users");
    let strict = "name: p\ntransformations:\n  - type: field_name_mapping\n    mapping: {A: a}\n  - type: strict_field_mapping_failure\n    message: unknown\n";
    assert_eq!(after(strict, &of("A: 1")), "sel: a = 1");
    assert_eq!(outcome(strict, &of("A: 1\nB: 2")).0[0].message, "no pipeline maps the field `B`: unknown");
}

#[test]
fn state_ids_and_nesting() {
    let text = "name: p\ntransformations:\n  - id: first\n    type: set_state\n    key: place\n    val: here\n  - type: nest\n    items:\n      - type: field_name_prefix\n        prefix: n.\n        rule_conditions:\n          - {type: processing_state, key: place, val: here}\n          - {type: processing_item_applied, processing_item_id: first}\n  - type: field_name_suffix\n    suffix: .no\n    rule_conditions:\n      - {type: processing_state, key: place, val: there}\n  - type: set_custom_attribute\n    attribute: team\n    value: blue\n";
    assert_eq!(after(text, &of("A: 1")), "sel: n.A = 1");
    let pipelines = Pipelines::new(&["none"], vec![pipeline(text)]).expect("`none` is a name");
    let mut rule = rule(&of("A: 1"));
    pipelines.apply(&mut rule);
    assert_eq!(rule.head.tags.last().map(Text::as_str), Some("team=blue"));
}

/// Whether a condition on rules holds for a rule, seen by a change that it allows.
fn rule_condition(condition: &str, selection: &str) -> bool {
    let text = step(&format!("type: field_name_prefix\nprefix: hit.\nrule_conditions:\n  - {condition}"));
    after(&text, &of(selection)).contains("hit.")
}

#[test]
fn conditions_on_rules() {
    for (condition, holds) in [
        ("{type: logsource, product: windows}", true),
        ("{type: logsource, product: windows, service: sysmon}", false),
        ("{type: contains_detection_item, field: A, value: '1'}", true),
        ("{type: contains_detection_item, field: A, value: '2'}", false),
        ("{type: contains_field, field: A}", true),
        ("{type: contains_field, field: B}", false),
        ("{type: is_sigma_rule}", true),
        ("{type: is_sigma_correlation_rule}", false),
        ("{type: tag, tag: attack.t1059}", true),
        ("{type: tag, tag: attack.t1}", false),
        ("{type: rule_attribute, attribute: level, value: medium, op: gte}", true),
        ("{type: rule_attribute, attribute: level, value: critical, op: gte}", false),
        ("{type: rule_attribute, attribute: status, value: [stable, test], op: in}", true),
        ("{type: rule_attribute, attribute: author, value: me}", false),
        ("{type: rule_attribute, attribute: title, value: T}", true),
    ] {
        assert_eq!(rule_condition(condition, "A: 1"), holds, "{condition}");
    }
}

/// Whether conditions on items hold for the only item.
fn item_condition(lines: &str, selection: &str) -> bool {
    let text = step(&format!("type: set_value\nvalue: hit\n{lines}"));
    after(&text, &of(selection)).contains("hit")
}

#[test]
fn conditions_on_items_and_fields() {
    let one = |condition: &str, selection: &str| {
        item_condition(&format!("detection_item_conditions:\n  - {condition}"), selection)
    };
    assert!(one("{type: match_string, cond: any, pattern: 'a.*'}", "X: [abc, x]"));
    assert!(!one("{type: match_string, cond: all, pattern: 'a.*'}", "X: [abc, x]"));
    assert!(!one("{type: match_string, cond: any, pattern: 'a.*', negate: true}", "X: [abc, x]"));
    assert!(one("{type: match_string, cond: any, pattern: '\\*abc'}", "X|endswith: abc"));
    assert!(one("{type: match_value, value: 5}", "X: 5"));
    assert!(one("{type: contains_wildcard}", "X|contains: a") && one("{type: contains_wildcard}", "X: a?b"));
    assert!(!one("{type: contains_wildcard}", "X: 'a\\?b'"));
    assert!(one("{type: is_null}", "X: null") && !one("{type: is_null}", "X: ''"));
    let field = |condition: &str| item_condition(&format!("field_name_conditions:\n  - {condition}"), "Xy: 1");
    assert!(field("{type: include_fields, fields: [Xy]}") && !field("{type: include_fields, fields: [X]}"));
    assert!(
        !field("{type: include_fields, fields: ['X.']}") && field("{type: include_fields, fields: ['X.'], mode: re}")
    );
    assert!(!field("{type: exclude_fields, fields: [Xy]}") && field("{type: exclude_fields, fields: [X]}"));
}

#[test]
fn conditions_are_joined() {
    let names = "detection_item_conditions:\n  a: {type: match_value, value: 1}\n  b: {type: match_value, value: 2}\n";
    let holds = |join: &str| item_condition(&format!("{names}{join}"), "X: 1");
    assert!(!holds("detection_item_cond_op: and"));
    assert!(holds("detection_item_cond_op: or"));
    assert!(!holds("detection_item_cond_op: or\ndetection_item_cond_not: true"));
    assert!(holds("detection_item_cond_expr: a and not b"));
    assert!(!holds("detection_item_cond_expr: not (a or b)"));
}

#[test]
fn what_is_not_known_is_named() {
    for (text, message, line) in [
        ("type: regex\nmethod: plain", "`regex` is no transformation that is known here", 3),
        ("type: field_name_maping\nmapping: {a: b}", "`field_name_maping` is no transformation that is known here", 3),
        ("type: field_name_prefix\nprefix: a\nprefx: b", "`field_name_prefix` has no part `prefx`", 5),
        ("type: query_expression_placeholders", "`query_expression_placeholders` needs a query language of its own", 3),
        (
            "type: drop_detection_item\nrule_conditions:\n  - {type: lgsource}",
            "`lgsource` is no condition of this place",
            5,
        ),
        ("type: set_value", "`set_value` needs `value`", 3),
        (
            "type: drop_detection_item\nrule_conditions:\n  a: {type: is_sigma_rule}\nrule_cond_expr: a and b",
            "`b` names nothing",
            6,
        ),
        ("type: replace_string\nregex: '(?=a)'\nreplacement: ''", "this is no regular expression that can be run", 4),
        (
            "type: rule_failure\nmessage: m\nfield_name_conditions:\n  - {type: include_fields, fields: [a]}",
            "`rule_failure` changes whole rules: conditions on items and fields have no meaning",
            3,
        ),
    ] {
        let (pipeline, problems, shown) = try_pipeline(&step(text));
        assert!(pipeline.is_none(), "{text}");
        assert_eq!((problems[0].code.0, problems[0].message.as_str()), ("E0840", message));
        assert!(shown.contains(&format!("pipeline.yml:{line}:")), "{shown}");
        assert!(problems[0].help.is_some());
    }
    let (pipeline, problems, _) = try_pipeline("name: p\nallowed_backends: [x]\nfinalizers:\n  - {type: concat}\n");
    assert!(pipeline.is_some());
    assert_eq!(problems.iter().map(|d| d.code.0).collect::<Vec<_>>(), ["W0840", "W0840"]);
    assert!(Pipelines::new(&["windos"], Vec::new()).is_err_and(|message| message.contains("did you mean `windows`?")));
}

fn routed(names: &[&str], read: Vec<Pipeline>, logsource: &str, selection: &str) -> (bool, String) {
    let pipelines = Pipelines::new(names, read).expect("the names are known");
    let text = format!("title: T\nlogsource: {logsource}\ndetection:\n  sel:\n    {selection}\n  condition: sel\n");
    let mut rule = rule(&text);
    let applied = pipelines.apply(&mut rule);
    assert!(applied.problems.is_empty());
    (applied.unknown_source, shown(&rule.detection))
}

#[test]
fn rules_are_held_to_their_log_source() {
    let sysmon = "Microsoft-Windows-Sysmon/Operational";
    for (source, wanted) in [
        ("{product: windows, service: security}", "Channel = Security".to_owned()),
        ("{product: windows, category: image_load}", format!("Channel = {sysmon}, EventID = 7")),
        (
            "{product: windows, category: ps_script}",
            "Channel = Microsoft-Windows-PowerShell/Operational | PowerShellCore/Operational, EventID = 4104".into(),
        ),
        (
            "{product: windows, category: process_creation}",
            format!("[Channel = {sysmon}, EventID = 1; Channel = Security, EventID = 4688]"),
        ),
        ("{product: windows, category: process_creation, service: sysmon}", format!("Channel = {sysmon}, EventID = 1")),
        ("{product: windows}", "Channel|exists = true".into()),
        ("{product: linux, category: process_creation}", "Channel = Linux-Sysmon/Operational, EventID = 1".into()),
        ("{product: linux, service: auditd}", "type|re = ^[A-Z][A-Z0-9_]+$".into()),
        ("{product: aws, service: cloudtrail}", "eventVersion|exists = true, eventSource|exists = true".into()),
        ("{product: zeek, service: dns}", "[_path = dns; event.dataset = zeek.dns]".into()),
    ] {
        assert_eq!(
            routed(&[], Vec::new(), source, "a: 1"),
            (false, format!("+ logsource: {wanted}\nsel: a = 1")),
            "{source}"
        );
    }
    // What nothing knows is sought as fields, and said to be unknown.
    let (unknown, text) = routed(&[], Vec::new(), "{product: okta, service: okta}", "a: 1");
    assert!(unknown);
    assert_eq!(
        text,
        "+ logsource: [product = okta, service = okta; logsource.product = okta, logsource.service = okta]\nsel: a = 1"
    );
    assert_eq!(routed(&["none"], Vec::new(), "{product: okta}", "a: 1"), (false, "sel: a = 1".into()));
    assert!(routed(&["cloudtrail"], Vec::new(), "{product: windows, service: security}", "a: 1").0);
}

#[test]
fn mappings_rename_what_routes_too() {
    let (unknown, text) =
        routed(&["winlogbeat"], Vec::new(), "{product: windows, service: security}", "SubjectUserName: bob");
    assert!(!unknown);
    assert_eq!(text, "+ logsource: winlog.channel = Security\nsel: winlog.event_data.SubjectUserName = bob");
    let (_, text) = routed(&["evtx"], Vec::new(), "{product: windows, category: image_load}", "ImageLoaded: a");
    assert!(text.contains("Event.System.EventID/Event.System.EventID.#text = 7"), "{text}");
    assert!(text.contains("Event.EventData.ImageLoaded = a"), "{text}");
    let (_, text) = routed(&["ecs"], Vec::new(), "{product: linux, category: process_creation}", "Image: /bin/sh");
    assert_eq!(
        text,
        "+ logsource: host.os.type = linux, event.category = process, event.type = start\nsel: process.executable = /bin/sh"
    );
    let (_, text) = routed(&[], Vec::new(), "{product: windows, category: process_creation}", "Image: a");
    assert!(text.ends_with("sel: Image/NewProcessName = a"), "{text}");
    // A pipeline of one's own comes on top of the defaults.
    let own = pipeline("name: p\npriority: 30\ntransformations:\n  - type: field_name_prefix\n    prefix: w.\n");
    let (_, text) = routed(&[], vec![own], "{product: windows, service: system}", "a: 1");
    assert_eq!(text, "+ logsource: w.Channel = System\nsel: w.a = 1");
}

#[test]
fn a_pipeline_that_routes_is_believed() {
    let own = "name: p\npriority: 30\ntransformations:\n  - type: add_condition\n    conditions: {index: win}\n    rule_conditions:\n      - {type: logsource, product: windows}\n";
    let (unknown, text) = routed(&[], vec![pipeline(own)], "{product: windows, service: system}", "a: 1");
    assert_eq!((unknown, text.as_str()), (false, "+ added: index = win\nsel: a = 1"));
    let (unknown, text) = routed(&[], vec![pipeline(own)], "{product: linux, service: auditd}", "a: 1");
    assert_eq!((unknown, text.as_str()), (false, "+ logsource: type|re = ^[A-Z][A-Z0-9_]+$\nsel: a = 1"));
    let changed = "name: p\ntransformations:\n  - type: change_logsource\n    product: windows\n    service: system\n";
    let (unknown, text) = routed(&[], vec![pipeline(changed)], "{product: acme}", "a: 1");
    assert_eq!((unknown, text.as_str()), (false, "+ logsource: Channel = System\nsel: a = 1"));
}

#[test]
fn vars_and_order_span_all_pipelines() {
    let values = pipeline("name: values\npriority: 50\nvars:\n  who: bob\ntransformations: []\n");
    let late = pipeline("name: late\npriority: 20\ntransformations:\n  - type: field_name_suffix\n    suffix: .late\n");
    let early = pipeline(
        "name: early\npriority: 10\ntransformations:\n  - type: value_placeholders\n  - type: field_name_suffix\n    suffix: .early\n",
    );
    let pipelines = Pipelines::new(&["none"], vec![values, late, early]).expect("`none` is a name");
    let mut rule = rule(&of("User|expand: '%who%'"));
    assert!(pipelines.apply(&mut rule).problems.is_empty());
    assert_eq!(shown(&rule.detection), "sel: User.early.late = bob");
}

#[test]
fn a_field_of_a_correlation_gets_the_name_that_the_rule_would_give_it() {
    let pipelines = Pipelines::new(&["winlogbeat"], Vec::new()).expect("a name");
    let rule = rule(&of("Image: a"));
    let field = |value: &str| Text { value: value.into(), span: rule.head.span };
    assert_eq!(pipelines.renamed(&rule, &field("Computer")), ["winlog.computer_name"]);
    assert_eq!(pipelines.renamed(&rule, &field("User")), ["winlog.event_data.User"]);
    assert_eq!(
        pipelines.renamed(&rule, &field("Image")),
        ["winlog.event_data.Image", "winlog.event_data.NewProcessName"]
    );
}
