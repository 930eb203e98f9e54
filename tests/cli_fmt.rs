//! `tripline fmt`: files in place, standard input, and what must not happen to files.

mod cli;

use cli::Place;

const UGLY: &str = "// kept\nrule   r \"R\"{match{a:A then b:B}within 5m by k}\n";

#[test]
fn files_are_formatted_in_place_and_then_stay() {
    let place = Place::new("fmt");
    place.file("rules/a.trip", UGLY);
    let check = place.run(&["fmt", "--check", "rules"]);
    assert!(check.expect(1).err.contains("a.trip is not formatted"), "{}", check.err);
    assert_eq!(place.read("rules/a.trip"), UGLY, "--check changes nothing");

    place.run(&["fmt", "rules"]).expect(0);
    let formatted = place.read("rules/a.trip");
    assert!(formatted.starts_with("// kept\n"), "{formatted}");
    assert_ne!(formatted, UGLY);
    place.run(&["fmt", "--check", "rules"]).expect(0);
    assert_eq!(std::fs::read_dir(place.path("rules")).expect("a directory").count(), 1, "nothing is left behind");
}

#[test]
fn standard_input_goes_to_standard_output() {
    let place = Place::new("fmt-stdin");
    let formatted = place.run_with(&["fmt"], UGLY).expect(0).out.clone();
    assert_eq!(place.run_with(&["fmt", "-"], &formatted).expect(0).out, formatted);
    place.run_with(&["fmt", "--check"], UGLY).expect(1);
    place.run_with(&["fmt", "--check"], &formatted).expect(0);
}

#[test]
fn a_file_with_an_error_is_left_alone_and_others_are_formatted() {
    let place = Place::new("fmt-broken");
    let broken = "rule   r { match { a: A the b: B } }\n";
    place.file("a.trip", broken).file("b.trip", UGLY);
    let ended = place.run(&["fmt", "a.trip", "b.trip"]);
    assert!(ended.expect(2).err.contains("a.trip:1"), "{}", ended.err);
    assert_eq!(place.read("a.trip"), broken);
    assert_ne!(place.read("b.trip"), UGLY);
}

#[cfg(unix)]
#[test]
fn permissions_and_links_survive() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new("fmt-link");
    place.file("real/a.trip", UGLY);
    let real = place.path("real/a.trip");
    std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o640)).expect("own file");
    std::os::unix::fs::symlink(&real, place.path("link.trip")).expect("a link");
    place.run(&["fmt", "link.trip"]).expect(0);
    assert!(place.path("link.trip").is_symlink());
    assert_ne!(place.read("real/a.trip"), UGLY);
    assert_eq!(std::fs::metadata(&real).expect("a file").permissions().mode() & 0o777, 0o640);
}
