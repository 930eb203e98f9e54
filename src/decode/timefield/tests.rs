//! What is read as a time, and what is not.

use super::*;

fn auto(value: ValueRef<'_>) -> Option<String> {
    TimeFormat::Auto.read(value).map(|time| time.to_string())
}

fn text(value: &str) -> Option<String> {
    auto(ValueRef::Str(value))
}

#[test]
fn rfc3339_in_its_usual_forms() {
    for written in [
        "2024-02-29T12:34:56.789Z",
        "2024-02-29t12:34:56.789z",
        "2024-02-29 12:34:56.789Z",
        "2024-02-29 12:34:56.789",
        "2024-02-29T12:34:56.789",
        "2024-02-29T12:34:56.7890000004Z",
        "2024-02-29T12:34:56.7890000004",
        "2024-02-29T14:34:56.789+02:00",
        "2024-02-29 14:34:56.789+02:00",
        "2024-02-29T07:04:56.789-05:30",
        "2024-02-29T12:34:56.789-00:00",
    ] {
        assert_eq!(text(written).as_deref(), Some("2024-02-29T12:34:56.789Z"), "{written}");
    }
    assert_eq!(text("1969-12-31T23:59:59Z"), Some("1969-12-31T23:59:59.000Z".to_owned()));
    assert_eq!(text("2024-01-01T00:00:00.000000001Z"), Some("2024-01-01T00:00:00.000000001Z".to_owned()));
    assert_eq!(text("2016-12-31T23:59:60Z"), Some("2017-01-01T00:00:00.000Z".to_owned()));
}

#[test]
fn what_is_no_time() {
    for written in [
        "",
        "yesterday",
        "2024-02-30T00:00:00Z",
        "2023-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2024-13-01T00:00:00Z",
        "2024-00-01T00:00:00Z",
        "2024-01-00T00:00:00Z",
        "2024-01-01T24:00:00Z",
        "2024-01-01T00:60:00Z",
        "2024-01-01T00:00:61Z",
        "2024-01-01T00:00:00.Z",
        "2024-01-01T00:00:00,5Z",
        "2024-01-01T00:00Z",
        "2024-01-01",
        "2024-01-01T00:00:00ZZ",
        "2024-01-01T00:00:00 Europe/Berlin",
        "2024-01-01T00:00:00Ä",
        "١٢٣٤-01-01T00:00:00Z",
        "1e9",
        "0x10",
        "+5",
        "-",
        ".5",
        "5.",
        "1.2.3",
        "1500-01-01T00:00:00Z",
        "2300-01-01T00:00:00Z",
        "99999999999999999999999999999999999999999999",
    ] {
        assert_eq!(text(written), None, "{written}");
    }
    assert_eq!(auto(ValueRef::Bool(true)), None);
    assert_eq!(auto(ValueRef::List(&[])), None);
    assert_eq!(auto(ValueRef::Missing), None);
}

#[test]
fn the_ends_of_time() {
    assert_eq!(text("2262-04-11T23:47:16.854775807Z"), Some(Timestamp::MAX.to_string()));
    assert_eq!(text("2262-04-11T23:47:16.854775808Z"), None);
    assert_eq!(text("1677-09-21T00:12:43.145224192Z"), Some(Timestamp::MIN.to_string()));
    assert_eq!(text("1677-09-21T00:12:43.145224191Z"), None);
}

#[test]
fn numbers_by_magnitude() {
    let expected = Some("2023-11-14T22:13:20.000Z".to_owned());
    for value in [1_700_000_000, 1_700_000_000_000, 1_700_000_000_000_000, 1_700_000_000_000_000_000] {
        assert_eq!(auto(ValueRef::Int(value)), expected);
        assert_eq!(auto(ValueRef::UInt(value.unsigned_abs())), expected);
        assert_eq!(auto(ValueRef::Float(value as f64)), expected);
        assert_eq!(text(&value.to_string()), expected);
    }
    assert_eq!(auto(ValueRef::Int(0)), Some("1970-01-01T00:00:00.000Z".to_owned()));
    assert_eq!(auto(ValueRef::Int(-1)), Some("1969-12-31T23:59:59.000Z".to_owned()));
    assert_eq!(auto(ValueRef::Int(-1_000_000_000_000)), Some("1938-04-24T22:13:20.000Z".to_owned()));
    // Seconds that end after 2262 are no usable time, not milliseconds.
    assert_eq!(auto(ValueRef::Int(99_999_999_999)), None);
    assert_eq!(auto(ValueRef::Int(100_000_000_000)), Some("1973-03-03T09:46:40.000Z".to_owned()));
    assert_eq!(auto(ValueRef::UInt(u64::MAX)), None);
    assert_eq!(auto(ValueRef::Float(1e300)), None);
}

#[test]
fn fractions_of_epoch_numbers() {
    assert_eq!(auto(ValueRef::Float(1_700_000_000.123)), Some("2023-11-14T22:13:20.123Z".to_owned()));
    assert_eq!(auto(ValueRef::Float(-0.25)), Some("1969-12-31T23:59:59.750Z".to_owned()));
    assert_eq!(auto(ValueRef::Float(1_700_000_000_123.5)), Some("2023-11-14T22:13:20.123500Z".to_owned()));
    assert_eq!(text("1700000000.123456789"), Some("2023-11-14T22:13:20.123456789Z".to_owned()));
    assert_eq!(text("1700000000.1234567899"), Some("2023-11-14T22:13:20.123456789Z".to_owned()));
    assert_eq!(text("-0.5"), Some("1969-12-31T23:59:59.500Z".to_owned()));
}

#[test]
fn a_named_format_reads_nothing_else() {
    let read = |format: &TimeFormat, value| format.read(value).map(|time| time.0);
    assert_eq!(read(&TimeFormat::Rfc3339, ValueRef::Int(5)), None);
    assert_eq!(read(&TimeFormat::Rfc3339, ValueRef::Str("5")), None);
    assert_eq!(read(&TimeFormat::EpochMs, ValueRef::Int(5)), Some(5_000_000));
    assert_eq!(read(&TimeFormat::EpochMs, ValueRef::Str("5")), Some(5_000_000));
    assert_eq!(read(&TimeFormat::EpochMs, ValueRef::Str("1970-01-01T00:00:00Z")), None);
    assert_eq!(read(&TimeFormat::EpochS, ValueRef::Int(-2)), Some(-2_000_000_000));
    assert_eq!(read(&TimeFormat::EpochUs, ValueRef::Int(7)), Some(7_000));
    assert_eq!(read(&TimeFormat::EpochNs, ValueRef::Float(7.0)), Some(7));
    assert_eq!(read(&TimeFormat::EpochNs, ValueRef::Int(i64::MIN)), Some(i64::MIN));
}

#[test]
fn patterns() {
    let read = |pattern: &str, value: &str| {
        let format = TimeFormat::parse(pattern).expect("the pattern is good");
        format.read(ValueRef::Str(value)).map(|time| time.to_string())
    };
    let expected = Some("2015-05-17T08:05:03.000Z".to_owned());
    assert_eq!(read("%d/%b/%Y:%H:%M:%S %z", "17/May/2015:10:05:03 +0200"), expected);
    assert_eq!(read("%Y%m%d%H%M%S", "20150517080503"), expected);
    assert_eq!(read("%Y-%m-%d", "2015-05-17"), Some("2015-05-17T00:00:00.000Z".to_owned()));
    assert_eq!(read("%Y-%m-%d", "17.5.2015"), None);
}

#[test]
fn formats_have_names() {
    assert_eq!(TimeFormat::parse("auto"), Ok(TimeFormat::Auto));
    assert_eq!(TimeFormat::parse("epoch_us"), Ok(TimeFormat::EpochUs));
    assert!(TimeFormat::parse("epoch").expect_err("it is no format").contains("write auto, rfc3339"));
    assert!(TimeFormat::parse("%Y-%!").expect_err("it is no format").contains("is not a time pattern"));
}

#[test]
fn every_day_of_eight_centuries_is_where_the_calendar_has_it() {
    for day in -100_000..100_000 {
        let date = NaiveDate::from_ymd_opt(1970, 1, 1)
            .and_then(|epoch| epoch.checked_add_signed(chrono::TimeDelta::days(day)));
        let written = format!("{}T00:00:00Z", date.expect("the date is in range"));
        assert_eq!(utc(written.as_bytes()), Some(Timestamp(day * 86_400_000_000_000)), "{written}");
    }
}

#[test]
fn the_first_field_that_is_there_counts() {
    let mut reader = TimeReader::new(vec![FieldId(1), FieldId(0)], TimeFormat::Auto);
    let arena = Arena::default();
    let mut read = |slots: [Slot; 2]| reader.read(&slots, "nonsense", &arena);
    assert_eq!(read([Slot::Int(1), Slot::Int(2)]), EventTime::At(Timestamp(2_000_000_000)));
    assert_eq!(read([Slot::Int(1), Slot::Missing]), EventTime::At(Timestamp(1_000_000_000)));
    assert_eq!(read([Slot::Int(1), Slot::Str { start: 0, len: 8 }]), EventTime::Unusable);
    assert_eq!(read([Slot::Missing, Slot::Missing]), EventTime::Absent);
}
