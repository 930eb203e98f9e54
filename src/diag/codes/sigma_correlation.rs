//! Codes of what joins Sigma rules with each other and with their data: pipelines, log sources, filters, correlations.
//!
//! Examples of pipelines, and of references between rules, are texts of their own: a test holds each.

macro_rules! codes {
    ($($name:ident $code:literal $title:literal, $text:literal, wrong $wrong:literal, right $right:literal;)*) => {
        $(#[doc = $title] pub const $name: $crate::diag::Code = $crate::diag::Code($code);)*

        /// The table, sorted by code.
        pub const CODES: &[$crate::diag::code::CodeInfo] = &[$($crate::diag::code::CodeInfo {
            code: $code,
            title: $title,
            explanation: concat!(
                $text, "\n\nWrong:\n\n```yaml\n", $wrong, "\n```\n\nRight:\n\n```yaml\n", $right, "\n```\n",
            ),
        },)*];
    };
}

codes! {
    PIPELINE "E0840" "a pipeline that cannot be carried out",
        "A pipeline is YAML in pySigma's form: `name`, `priority`, `vars` and `transformations`. A transformation or condition that is not known here is refused with its name: passed over, it would leave rules that look for something in fields that the events do not have.",
        wrong "name: names\npriority: 20\ntransformations:\n  - type: field_name_maping\n    mapping:\n      EventID: event.code",
        right "name: names\npriority: 20\ntransformations:\n  - type: field_name_mapping\n    mapping:\n      EventID: event.code";

    REFUSED_BY_PIPELINE "E0841" "a pipeline refuses a rule",
        "A pipeline may say what it cannot serve (`rule_failure`, `detection_item_failure`, `strict_field_mapping_failure`), a placeholder may have no values, and a selection must not lose all of its items. The rule is then refused; others are not touched.",
        wrong "name: values\ntransformations:\n  - type: value_placeholders",
        right "name: values\nvars:\n  admins: [root, Administrator]\ntransformations:\n  - type: value_placeholders";

    REFERENCE "E0850" "a correlation or filter names a rule that is not there",
        "Rules are referred to by their `id` or their `name`, within a file and between the files that are loaded together. A rule that was refused is not there either.",
        wrong "title: Many\ncorrelation:\n  type: event_count\n  rules: [failed_login]\n  timespan: 5m\n  condition:\n    gte: 10",
        right "title: Failed\nname: failed_login\nlogsource:\n  product: linux\ndetection:\n  sel:\n    outcome: failure\n  condition: sel\n---\ntitle: Many\ncorrelation:\n  type: event_count\n  rules: [failed_login]\n  timespan: 5m\n  condition:\n    gte: 10";

    CYCLE "E0851" "correlations refer to each other in a circle",
        "A correlation over correlations is evaluated from the bottom up. In a circle there is no bottom.",
        wrong "title: A\nname: a\ncorrelation:\n  type: event_count\n  rules: [b]\n  timespan: 5m\n  condition:\n    gte: 2\n---\ntitle: B\nname: b\ncorrelation:\n  type: event_count\n  rules: [a]\n  timespan: 5m\n  condition:\n    gte: 2",
        right "title: Failed\nname: failed\nlogsource:\n  product: linux\ndetection:\n  sel:\n    outcome: failure\n  condition: sel\n---\ntitle: B\nname: b\ncorrelation:\n  type: event_count\n  rules: [failed]\n  timespan: 5m\n  condition:\n    gte: 2\n---\ntitle: A\nname: a\ncorrelation:\n  type: event_count\n  rules: [b]\n  timespan: 1h\n  condition:\n    gte: 2";

    CORRELATION "E0853" "a correlation that cannot be decided on a stream",
        "The condition does not fit the type, leaves out what it needs (`field`, `percentile`), can never or always hold, or asks for something that no stream of events can decide. The message says which.",
        wrong "title: Failed\nname: failed\nlogsource:\n  product: linux\ndetection:\n  sel:\n    outcome: failure\n  condition: sel\n---\ntitle: Users\ncorrelation:\n  type: value_count\n  rules: [failed]\n  timespan: 5m\n  condition:\n    gte: 3",
        right "title: Failed\nname: failed\nlogsource:\n  product: linux\ndetection:\n  sel:\n    outcome: failure\n  condition: sel\n---\ntitle: Users\ncorrelation:\n  type: value_count\n  rules: [failed]\n  timespan: 5m\n  condition:\n    field: user\n    gte: 3";

    PIPELINE_PART "W0840" "a part of a pipeline has no effect",
        "`allowed_backends`, `postprocessing` and `finalizers` are about queries for other programs. Here rules run as they are.",
        wrong "name: names\nallowed_backends: [splunk]\ntransformations:\n  - type: field_name_prefix\n    prefix: win.",
        right "name: names\ntransformations:\n  - type: field_name_prefix\n    prefix: win.";

    UNKNOWN_SOURCE "W0841" "nothing tells events of this log source from others",
        "A rule applies to events of its log source only. For this one no pipeline says by which fields they are known, so the rule is held to events that have the parts of the log source as fields, `product`, `category` and `service`, or the same below `logsource`. Add them where the events are shipped, say in a pipeline what tells them apart, or run with `--pipeline none` over a file that holds nothing else.",
        wrong "title: Bucket\nlogsource:\n  product: gcp\n  service: gcp.audit\ndetection:\n  sel:\n    method: storage.buckets.delete\n  condition: sel",
        right "name: gcp\npriority: 10\ntransformations:\n  - type: add_condition\n    conditions:\n      logName|contains: cloudaudit\n    rule_conditions:\n      - type: logsource\n        product: gcp\n        service: gcp.audit";

    FILTER "W0842" "a filter reaches no rule",
        "A filter is added to the rules that it names, or to `any`, as far as they are of its log source: every part that the filter's `logsource` gives must be the rule's. One that reaches no rule changes nothing.",
        wrong "title: Shell\nname: shell\nlogsource:\n  product: linux\ndetection:\n  sel:\n    cmd: sh\n  condition: sel\n---\ntitle: Not the backup\nlogsource:\n  product: windows\nfilter:\n  rules: [shell]\n  backup:\n    user: backup\n  condition: not backup",
        right "title: Shell\nname: shell\nlogsource:\n  product: linux\ndetection:\n  sel:\n    cmd: sh\n  condition: sel\n---\ntitle: Not the backup\nlogsource:\n  product: linux\nfilter:\n  rules: [shell]\n  backup:\n    user: backup\n  condition: not backup";
}
