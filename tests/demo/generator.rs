//! Makes `rules/samples/demo.ndjson`: seven hours of a made-up company, with one planted incident for most shipped
//! rules and quiet traffic around them. The same lines at every run: no clock, and a fixed seed.
//!
//! Relies on nothing of the library. Addresses are from the ranges kept for documentation.

/// Seconds from the start of the sample, in milliseconds.
fn at(hour: i64, minute: i64, second: i64) -> i64 {
    ((hour * 60 + minute) * 60 + second) * 1000
}

/// A small generator of repeatable numbers (64-bit linear congruential, the upper bits).
struct Numbers(u64);

impl Numbers {
    /// A number in `low..high`.
    fn between(&mut self, low: i64, high: i64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        low + ((self.0 >> 33) as i64).rem_euclid(high - low)
    }
}

/// Events as they are planned: time since the start, and the rest of the object after the time.
#[derive(Default)]
struct Plan {
    events: Vec<(i64, String)>,
}

impl Plan {
    /// An event of a class; `fields` is the inside of a JSON object.
    fn add(&mut self, time: i64, class: &str, fields: &str) {
        let comma = if fields.is_empty() { "" } else { "," };
        self.events.push((time, format!("\"type\":\"{class}\"{comma}{fields}")));
    }

    /// An event without a `type`.
    fn raw(&mut self, time: i64, fields: String) {
        self.events.push((time, fields));
    }
}

/// The whole sample, one JSON object a line, in order of time.
pub fn demo() -> String {
    let mut plan = Plan::default();
    let mut numbers = Numbers(2026);
    vessels(&mut plan, &mut numbers);
    payments(&mut plan, &mut numbers);
    market(&mut plan, &mut numbers);
    marketing(&mut plan, &mut numbers);
    visitors(&mut plan, &mut numbers);
    hosts(&mut plan, &mut numbers);
    logs(&mut plan, &mut numbers);
    sign_ins(&mut plan, &mut numbers);
    endpoints(&mut plan);
    cloud(&mut plan);
    warehouse(&mut plan, &mut numbers);
    rides(&mut plan, &mut numbers);
    models(&mut plan, &mut numbers);
    plan.events.sort_by_key(|(time, _)| *time);
    let mut text = String::new();
    for (time, fields) in plan.events {
        text.push_str(&format!("{{\"@timestamp\":\"{}\",{fields}}}\n", clock(time)));
    }
    text
}

/// The sample begins on 2 March 2026 at 08:00 UTC and stays within the day.
fn clock(time: i64) -> String {
    let ms = time + 8 * 3_600_000;
    format!("2026-03-02T{:02}:{:02}:{:02}.{:03}Z", ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000)
}

fn vessels(plan: &mut Plan, numbers: &mut Numbers) {
    let mut position = |time: i64, mmsi: i64, lat: f64, lon: f64, sog: f64| {
        plan.add(time, "position", &format!("\"mmsi\":{mmsi},\"lat\":{lat:.4},\"lon\":{lon:.4},\"sog\":{sog:.1}"));
    };
    for step in 0..60 {
        let time = at(0, step * 5, 0) + numbers.between(0, 20_000);
        let way = step as f64 * 0.008;
        // A ferry outside the area, all day.
        position(time, 367_000_101, 41.0 + way, -73.0, 9.5);
        // Under way inside the area, until it stops reporting.
        if step < 26 {
            position(time, 367_000_102, 40.50 + way * 0.5, -74.00, 8.0);
        }
        // At the forty-second report it seems to be forty kilometres further.
        let jump = if step >= 42 { 0.4 } else { 0.0 };
        position(time, 367_000_103, 41.2 + way + jump, -73.5, 11.0);
        // Slows down inside the area and drifts.
        if (20..32).contains(&step) {
            position(time, 367_000_104, 40.60, -73.95, if step < 24 { 6.0 } else { 0.6 });
        }
        // Crosses the northern edge of the area and goes dark.
        if (34..40).contains(&step) {
            position(time, 367_000_105, 40.62 + (step - 34) as f64 * 0.018, -74.02, 12.0);
        }
    }
}

fn payments(plan: &mut Plan, numbers: &mut Numbers) {
    let mut payment = |time: i64, card: &str, merchant: &str, terminal: &str, amount: f64| {
        plan.add(
            time,
            "payment",
            &format!(
                "\"card\":\"{card}\",\"merchant\":\"{merchant}\",\"terminal\":\"{terminal}\",\"amount\":{amount:.2},\"status\":\"approved\""
            ),
        );
    };
    for n in 0..60 {
        let card = format!("card-{}", numbers.between(100, 140));
        let merchant = numbers.between(1, 30);
        let amount = numbers.between(600, 9000) as f64 / 100.0;
        payment(at(0, n * 7, 11), &card, &format!("m-{merchant}"), &format!("t-{merchant}"), amount);
    }
    for (n, card) in ["card-901", "card-902", "card-903"].iter().enumerate() {
        let start = at(2, 5 + 14 * n as i64, 0);
        for k in 0..3 {
            let merchant = format!("m-{}", 40 + k);
            payment(start + k * 95_000, card, &merchant, &format!("t-{}", 40 + k), 1.0 + k as f64 * 0.5);
        }
        payment(start + 540_000, card, "m-77", "t-77", 420.0 + 30.0 * n as f64);
    }
    for n in 0..4 {
        payment(at(4, 10 + n * 9, 0), "card-700", &format!("m-{}", 60 + n), &format!("t-{}", 60 + n), 1490.0);
    }
    plan.add(at(5, 2, 0), "phone_changed", "\"account\":\"acc-31\"");
    plan.add(at(5, 9, 0), "password_reset", "\"account\":\"acc-31\"");
    plan.add(at(5, 21, 0), "transfer", "\"account\":\"acc-31\",\"amount\":4800,\"payee\":\"acc-99\"");
    plan.add(at(1, 2, 0), "password_reset", "\"account\":\"acc-12\"");
    plan.add(at(1, 30, 0), "transfer", "\"account\":\"acc-12\",\"amount\":60,\"payee\":\"acc-13\"");
}

fn market(plan: &mut Plan, numbers: &mut Numbers) {
    let open = at(5, 30, 0);
    let mut cents = 18_000;
    for n in 0..90 {
        let time = open + n * 12_000;
        cents += numbers.between(-3, 4);
        let (bid, ask) = ((cents - 1) as f64 / 100.0, (cents + 1) as f64 / 100.0);
        plan.add(time, "quote", &format!("\"symbol\":\"IBM\",\"bid\":{bid:.2},\"ask\":{ask:.2}"));
        let price = if n == 40 { ask * 1.004 } else { cents as f64 / 100.0 };
        let size = 100 * numbers.between(1, 9);
        plan.add(time + 350, "trade", &format!("\"symbol\":\"IBM\",\"price\":{price:.2},\"size\":{size}"));
    }
    for (n, size) in [4200, 3900, 2600].iter().enumerate() {
        plan.add(
            open + 1_100_000 + n as i64 * 280,
            "trade",
            &format!("\"symbol\":\"KO\",\"price\":61.10,\"size\":{size}"),
        );
    }
    for (n, price) in [52.0, 51.2, 50.1, 49.4, 50.6, 51.9, 52.3].iter().enumerate() {
        plan.add(
            at(6, 5, 0) + n as i64 * 40_000,
            "trade",
            &format!("\"symbol\":\"F\",\"price\":{price:.2},\"size\":300"),
        );
    }
    let order = |id: &str, side: &str, size: i64| {
        format!("\"order_id\":\"{id}\",\"trader\":\"tr-5\",\"symbol\":\"IBM\",\"side\":\"{side}\",\"size\":{size}")
    };
    plan.add(open + 601_000, "order_new", &order("o-1", "sell", 8000));
    plan.add(open + 602_200, "order_filled", &order("o-2", "buy", 400));
    plan.add(open + 603_100, "order_cancelled", &order("o-1", "sell", 8000));
    plan.add(open + 700_000, "order_new", &order("o-3", "buy", 2000));
    plan.add(open + 702_000, "order_filled", &order("o-3", "buy", 2000));
}

fn marketing(plan: &mut Plan, numbers: &mut Numbers) {
    for half_hour in 0..14 {
        for campaign in ["spring", "brand"] {
            let hot = campaign == "spring" && (10..12).contains(&half_hour);
            let cpc = if hot { 210 + half_hour * 20 } else { 100 + numbers.between(0, 12) };
            plan.add(
                at(0, half_hour * 30, 2),
                "ad_stats",
                &format!("\"campaign\":\"{campaign}\",\"cpc\":{:.2},\"clicks\":{}", cpc as f64 / 100.0, 80 + half_hour),
            );
            if !(campaign == "spring" && half_hour >= 10) {
                plan.add(
                    at(0, half_hour * 30 + 9, 0),
                    "conversion",
                    &format!("\"campaign\":\"{campaign}\",\"order_id\":\"{campaign}-{half_hour}\""),
                );
            }
        }
    }
    for n in 0..6 {
        plan.add(at(3, 4 + n * 6, 0), "coupon_redeemed", &format!("\"coupon\":\"HELLO10\",\"customer\":\"c-{n}\""));
    }
    for n in 0..8 {
        plan.add(
            at(0, 20 + n * 45, 0),
            "purchase",
            &format!("\"customer\":\"c-{n}\",\"amount\":{}", numbers.between(15, 90)),
        );
    }
}

fn visitors(plan: &mut Plan, numbers: &mut Numbers) {
    for n in 0..14 {
        let start = at(0, 12 + n * 26, 0);
        let who = format!("\"session\":\"s-{n}\",\"user\":\"u-{n}\"");
        for k in 0..numbers.between(1, 4) {
            let price = numbers.between(5, 60);
            plan.add(start + k * 45_000, "add_to_cart", &format!("{who},\"sku\":\"sku-{k}\",\"price\":{price}"));
        }
        plan.add(start + 240_000, "checkout_started", &who);
        if n != 6 {
            plan.add(start + 420_000, "order_placed", &who);
        }
    }
    for n in 0..90 {
        let ip = format!("192.0.2.{}", numbers.between(20, 60));
        let status = if n % 17 == 0 { 404 } else { 200 };
        plan.add(
            at(0, n * 4, 31),
            "page_request",
            &format!("\"client\":{{\"ip\":\"{ip}\"}},\"path\":\"/p/{}\",\"status\":{status}", numbers.between(1, 40)),
        );
    }
    for n in 0..40 {
        let (path, status) = if n % 2 == 0 { (format!("/backup-{n}.zip"), 404) } else { (format!("/p/{n}"), 200) };
        plan.add(
            at(3, 41, 0) + n * 900,
            "page_request",
            &format!("\"client\":{{\"ip\":\"203.0.113.5\"}},\"path\":\"{path}\",\"status\":{status}"),
        );
    }
    for n in 0..6 {
        plan.add(at(2, 51, 0) + n * 280, "click", "\"session\":\"s-6\",\"target\":\"#pay\"");
    }
}

fn hosts(plan: &mut Plan, numbers: &mut Numbers) {
    for minute in (0..420).step_by(2) {
        for host in ["web-1", "db-1"] {
            let gap = host == "db-1" && (244..254).contains(&minute);
            if !gap {
                plan.add(at(0, minute, 0), "heartbeat", &format!("\"host\":\"{host}\""));
            }
        }
    }
    for sample in 0..84 {
        let hot = sample == 33;
        let used = if hot { 97 } else { 30 + numbers.between(0, 8) };
        plan.add(at(0, sample * 5, 15), "cpu", &format!("\"host\":\"web-1\",\"service\":\"shop\",\"used\":{used}"));
        if sample % 2 == 0 {
            let p95 = if sample == 34 { 870 } else { 90 + numbers.between(0, 60) };
            plan.add(at(0, sample * 5, 40), "latency", &format!("\"service\":\"shop\",\"p95_ms\":{p95}"));
        }
    }
    for (n, used) in [71, 70, 72, 71, 73, 72, 74, 78, 83, 88, 92, 93].iter().enumerate() {
        plan.add(at(0, n as i64 * 20, 5), "disk", &format!("\"host\":\"db-1\",\"mount\":\"/var\",\"used_pct\":{used}"));
    }
    // From the fortieth to the hundredth request one of eight fails.
    for n in 0..150 {
        let status = if (40..100).contains(&n) && n % 8 == 0 { 503 } else { 200 };
        plan.add(at(4, 50, 7) + n * 12_000, "request", &format!("\"service\":\"search\",\"status\":{status}"));
    }
    for n in 0..4 {
        for (state, shift) in [("down", 0), ("up", 14_000)] {
            plan.add(
                at(1, 20, 0) + n * 75_000 + shift,
                "link",
                &format!("\"host\":\"sw-3\",\"interface\":\"et-0/0/7\",\"state\":\"{state}\""),
            );
        }
    }
}

fn logs(plan: &mut Plan, numbers: &mut Numbers) {
    let mut line = |time: i64, service: &str, level: &str, message: &str| {
        plan.add(
            time,
            "log_line",
            &format!("\"service\":\"{service}\",\"level\":\"{level}\",\"message\":\"{message}\""),
        );
    };
    for n in 0..100 {
        let service = ["shop", "mail", "search"][numbers.between(0, 3) as usize];
        let level = if n % 25 == 0 { "error" } else { "info" };
        line(at(0, n * 4, 50), service, level, if level == "error" { "timeout" } else { "request done" });
    }
    for n in 0..26 {
        line(at(3, 2, 0) + n * 7_000, "shop", "error", "column order_total does not exist");
    }
    for n in 0..3 {
        line(at(6, 3 + n * 9, 0), "search", "error", "Killed process 4121 (search): Out of memory");
    }
    for (job, hour, minute) in [("billing_run", 1, 12), ("stock_import", 4, 40), ("risk_report", 6, 21)] {
        plan.add(at(hour, minute, 30), "job_finished", &format!("\"job\":\"{job}\""));
    }
    plan.add(at(3, 0, 30), "deploy", "\"service\":\"shop\",\"version\":\"1.4.0\"");
    plan.add(at(3, 8, 0), "rollback", "\"service\":\"shop\",\"version\":\"1.3.9\"");
    for n in 0..6 {
        let instance = format!("\"instance\":\"i-{n}\"");
        plan.add(at(1, n * 31, 0), "instance_create", &instance);
        if n != 4 {
            plan.add(at(1, n * 31, 22), "instance_spawned", &instance);
        }
    }
    for n in 0..8 {
        let block = format!("\"block\":\"blk-{n}\",\"node\":\"n-{}\"", n % 3);
        if n != 5 {
            plan.add(at(0, n * 20, 1), "block_stored", &block);
        }
        plan.add(at(2, n * 20, 1), "block_read", &block);
    }
}

/// The fields of a sign-in.
fn sign_in(outcome: &str, user: &str, ip: &str, place: Option<(&str, f64, f64)>) -> String {
    let geo = place.map_or(String::new(), |(country, lat, lon)| {
        format!(",\"geo\":{{\"country\":\"{country}\",\"location\":{{\"lat\":{lat},\"lon\":{lon}}}}}")
    });
    format!(
        "\"event\":{{\"category\":\"authentication\",\"type\":\"start\",\"outcome\":\"{outcome}\"}},\"source\":{{\"ip\":\"{ip}\"{geo}}},\"user\":{{\"name\":\"{user}\"}},\"host\":{{\"name\":\"gw-1\"}}"
    )
}

fn sign_ins(plan: &mut Plan, numbers: &mut Numbers) {
    let berlin = Some(("DE", 52.52, 13.405));
    let sao_paulo = Some(("BR", -23.5505, -46.6333));
    for n in 0..70 {
        let user = ["ann", "bob", "cho", "dee", "eli", "fay"][numbers.between(0, 6) as usize];
        let outcome = if n % 23 == 22 { "failure" } else { "success" };
        plan.raw(at(0, n * 6, 5), sign_in(outcome, user, &format!("198.51.100.{}", numbers.between(10, 90)), berlin));
    }
    for n in 0..7 {
        plan.raw(at(4, 31, 0) + n * 2_500, sign_in("failure", "bob", "192.0.2.77", sao_paulo));
    }
    plan.raw(at(4, 31, 40), sign_in("success", "bob", "192.0.2.77", sao_paulo));
    for n in 0..12 {
        plan.raw(at(2, 15, 0) + n * 31_000, sign_in("failure", &format!("user{n:02}"), "203.0.113.200", None));
    }
    plan.raw(at(1, 7, 0), sign_in("success", "gus", "192.0.2.14", berlin));
    plan.raw(at(2, 12, 0), sign_in("success", "gus", "203.0.113.8", Some(("US", 40.7128, -74.006))));
}

fn endpoints(plan: &mut Plan) {
    plan.raw(
        at(4, 44, 0),
        "\"event\":{\"category\":\"process\",\"type\":\"start\"},\"process\":{\"entity_id\":\"p-90\",\"name\":\"auditctl\",\"command_line\":\"auditctl -e 0\",\"parent\":{\"name\":\"bash\"}},\"user\":{\"name\":\"bob\"},\"host\":{\"name\":\"db-1\"}".to_owned(),
    );
    plan.raw(
        at(5, 51, 0),
        "\"event\":{\"category\":\"process\",\"type\":\"start\"},\"process\":{\"entity_id\":\"p-91\",\"name\":\"powershell.exe\",\"command_line\":\"powershell -w hidden -enc SQBFAFgA\",\"parent\":{\"name\":\"WINWORD.EXE\"}},\"user\":{\"name\":\"dee\"},\"host\":{\"name\":\"pc-7\"}".to_owned(),
    );
    let connection = |host: &str, id: &str, ip: &str, port: u16| {
        format!(
            "\"event\":{{\"category\":\"network\",\"type\":\"start\"}},\"process\":{{\"entity_id\":\"{id}\"}},\"destination\":{{\"ip\":\"{ip}\",\"port\":{port}}},\"host\":{{\"name\":\"{host}\"}}"
        )
    };
    plan.raw(at(5, 51, 12), connection("pc-7", "p-91", "203.0.113.66", 443));
    for n in 0..6 {
        plan.raw(at(6, 2 + n, 0), connection("pc-7", "p-95", &format!("10.0.4.{}", 10 + n), 3389));
    }
    for n in 0..20 {
        plan.raw(at(0, n * 20, 44), connection("pc-3", "p-12", "198.51.100.20", 443));
    }
}

fn cloud(plan: &mut Plan) {
    let call = |name: &str, source: &str, user: &str| {
        format!(
            "\"eventName\":\"{name}\",\"eventSource\":\"{source}.amazonaws.com\",\"sourceIPAddress\":\"192.0.2.44\",\"userIdentity\":{{\"arn\":\"arn:aws:iam::111122223333:user/{user}\",\"userName\":\"{user}\",\"accessKeyId\":\"AKIA{}\"}}",
            user.to_uppercase()
        )
    };
    let seen = ["ListUsers", "ListRoles", "DescribeInstances", "ListBuckets", "GetBucketAcl", "DescribeTrails"];
    for (n, name) in seen.iter().enumerate() {
        plan.raw(at(6, 20, 0) + n as i64 * 20_000, call(name, "iam", "ci"));
    }
    plan.raw(at(6, 23, 0), call("StopLogging", "cloudtrail", "ci"));
    for n in 0..20 {
        plan.raw(at(0, n * 20, 17), call("DescribeInstances", "ec2", "ops"));
    }
    plan.raw(
        at(6, 31, 0),
        format!(
            "{},\"requestParameters\":{{\"userName\":\"backup\"}},\"responseElements\":{{\"accessKey\":{{\"accessKeyId\":\"AKIABACKUP\"}}}}",
            call("CreateAccessKey", "iam", "ci")
        ),
    );
    plan.raw(at(6, 40, 0), call("GetCallerIdentity", "sts", "backup"));
}

fn warehouse(plan: &mut Plan, numbers: &mut Numbers) {
    let mut stock = 74;
    for n in 0..8 {
        plan.add(at(0, n * 50, 3), "stock_level", &format!("\"sku\":\"TEA-250\",\"site\":\"A\",\"on_hand\":{stock}"));
        stock -= numbers.between(4, 9);
    }
    for (n, stock) in [131, 92, 88].iter().enumerate() {
        let time = at(0, 50 + n as i64 * 50, 9);
        plan.add(time, "stock_level", &format!("\"sku\":\"BAG-L\",\"site\":\"A\",\"on_hand\":{stock}"));
    }
    let count = |counted: i64| format!("\"sku\":\"MUG-RED\",\"site\":\"A\",\"counted\":{counted}");
    plan.add(at(0, 30, 0), "stock_count", &count(120));
    for n in 0..5 {
        plan.add(at(1, n * 40, 0), "stock_move", "\"sku\":\"MUG-RED\",\"site\":\"A\",\"quantity\":-6");
    }
    plan.add(at(6, 0, 0), "stock_count", &count(81));
    plan.add(at(2, 2, 0), "order_line", "\"customer\":\"c-91\",\"sku\":\"BAG-L\",\"quantity\":2500");
    plan.add(at(2, 11, 0), "order_line_cancelled", "\"customer\":\"c-91\",\"sku\":\"BAG-L\",\"quantity\":-2500");
    for n in 0..6 {
        let order = format!("\"order\":\"ord-{n}\"");
        plan.add(at(0, 25 + n * 50, 0), "order_paid", &format!("{order},\"amount\":{}", numbers.between(20, 200)));
        if n != 3 {
            plan.add(at(2, n * 50, 0), "shipment", &format!("{order},\"status\":\"handed_over\""));
        }
    }
}

fn rides(plan: &mut Plan, numbers: &mut Numbers) {
    for n in 0..24 {
        let start = at(0, 7 + n * 16, 0);
        let zone = format!("Z{}", n % 4);
        let (lat, lon) = (52.50 + (n % 4) as f64 * 0.05, 13.40);
        plan.add(
            start,
            "ride_requested",
            &format!("\"ride\":\"r-{n}\",\"zone\":\"{zone}\",\"lat\":{lat:.3},\"lon\":{lon:.3}"),
        );
        if n == 13 {
            // Nobody takes this one, although a driver becomes free 600 metres away.
            plan.add(
                start + 25_000,
                "driver_free",
                &format!("\"driver\":\"d-40\",\"zone\":\"{zone}\",\"lat\":{:.3},\"lon\":{lon:.3}", lat + 0.005),
            );
            plan.add(start + 400_000, "ride_cancelled", &format!("\"ride\":\"r-{n}\",\"zone\":\"{zone}\""));
            continue;
        }
        plan.add(
            start + 40_000,
            "ride_accepted",
            &format!("\"ride\":\"r-{n}\",\"zone\":\"{zone}\",\"driver\":\"d-{}\"", numbers.between(1, 9)),
        );
        plan.add(start + 300_000, "ride_started", &format!("\"ride\":\"r-{n}\",\"lat\":{lat:.3},\"lon\":{lon:.3}"));
        let driven = if n == 17 { 11.4 } else { 4.1 };
        plan.add(
            start + 1_100_000,
            "ride_ended",
            &format!("\"ride\":\"r-{n}\",\"lat\":{:.3},\"lon\":{lon:.3},\"driven_km\":{driven}", lat + 0.027),
        );
    }
    for n in 0..3 {
        plan.add(at(4, 2 + n * 17, 0), "driver_cancelled", &format!("\"driver\":\"d-8\",\"ride\":\"x-{n}\""));
    }
}

fn models(plan: &mut Plan, numbers: &mut Numbers) {
    for n in 0..150 {
        let score = if n >= 100 { 78 + numbers.between(0, 15) } else { 12 + numbers.between(0, 20) };
        plan.add(
            at(4, n, 33),
            "scored",
            &format!(
                "\"model\":\"fraud-3\",\"account\":\"acc-{}\",\"score\":{:.2}",
                numbers.between(10, 60),
                score as f64 / 100.0
            ),
        );
    }
    for n in 0..20 {
        let request = format!("\"request\":\"q-{n}\",\"model\":\"fraud-3\"");
        plan.add(at(1, n * 13, 0), "inference_started", &request);
        if n != 11 {
            plan.add(at(1, n * 13, 0) + 140, "inference_finished", &request);
        }
    }
    for n in 0..4 {
        plan.add(at(5, 11 + n, 0), "prompt", "\"user\":\"u-6\",\"verdict\":\"blocked\"");
    }
    plan.add(at(5, 15, 30), "prompt", "\"user\":\"u-6\",\"verdict\":\"ok\"");
    plan.add(at(5, 15, 41), "tool_call", "\"user\":\"u-6\",\"tool\":\"send_mail\",\"sensitive\":true");
    plan.add(at(3, 33, 0), "login", "\"account\":\"acc-55\",\"device\":\"dev-9\",\"new_device\":true");
    plan.add(at(3, 58, 0), "wire_transfer", "\"account\":\"acc-55\",\"amount\":2900,\"score\":0.96");
    plan.add(at(3, 59, 0), "wire_transfer", "\"account\":\"acc-20\",\"amount\":40,\"score\":0.12");
}
