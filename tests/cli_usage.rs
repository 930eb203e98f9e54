//! Arguments, configuration files and exit codes.

mod cli;

use cli::Place;

#[test]
fn help_and_version_are_asked_for() {
    let place = Place::new("help");
    let help = place.run(&["--help"]);
    assert!(help.expect(0).out.contains("Exit codes:"), "{}", help.out);
    for command in ["run", "check", "test", "fmt", "explain", "graph", "generate", "attack", "rule", "completions"] {
        assert!(help.out.contains(&format!("\n  {command} ")), "{command}");
        place.run(&[command, "--help"]).expect(0);
    }
    assert_eq!(place.run(&["--version"]).expect(0).out, format!("tripline {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn mistakes_on_the_command_line_end_with_2() {
    let place = Place::new("mistakes");
    for args in [
        &["rnu"][..],
        &["run", "--lateness", "soon"],
        &["run", "--output", "xml"],
        &["run", "--threads", "0"],
        &["run", "--from", "yesterday"],
        &["rule", "E9999"],
        &["completions", "klingon"],
        &["check", "nowhere.trip"],
        &["fmt", "nowhere.trip"],
        &["run", "--config", "nowhere.yaml", "--rule", "a"],
        &["--log", "x=y=z", "rule"],
    ] {
        let ended = place.run(args);
        assert!(!ended.expect(2).err.is_empty(), "{args:?}");
        assert_eq!(ended.out, "", "{args:?}");
    }
    assert!(place.run(&["run", "--lateness", "soon"]).err.contains("500ms, 30s, 5m or 1h30m"));
}

#[test]
fn a_code_is_explained_and_a_near_one_suggested() {
    let place = Place::new("code");
    let text = &place.run(&["rule", "e0411"]).expect(0).out.clone();
    assert!(text.starts_with("E0411: ") && text.contains("Right:"), "{text}");
    assert!(place.run(&["rule", "E0411x"]).expect(2).err.contains("did you mean E0411?"));
    assert!(place.run(&["rule"]).expect(0).out.lines().count() > 2);
}

#[test]
fn completions_name_the_commands() {
    let place = Place::new("completions");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = place.run(&["completions", shell]);
        assert!(script.expect(0).out.contains("fail-on-alert"), "{shell}");
    }
}

#[test]
fn a_wrong_configuration_names_key_and_line() {
    let place = Place::new("config-wrong");
    place.file("tripline.yaml", "threads: 2\nlatenes: 3s\n").file("r.trip", "rule r { match { a } }\n");
    let ended = place.run(&["run", "r.trip"]);
    let err = &ended.expect(2).err;
    assert!(err.contains("E0411") && err.contains("tripline.yaml:2:1"), "{err}");
    assert!(err.contains("`lateness`"), "{err}");
}
