#!/usr/bin/env python3
"""Runs Tripline and rsigma over the same Sigma rules and events, and compares what they find and what it costs.

    compare.py --tripline BIN --rsigma BIN --rules DIR EVENTS...

EVENTS are NDJSON files of Windows event logs or of CloudTrail, plain or gzipped. Every event gets its line number, and
its log source as fields (`product`, `service`, `category`), by which rsigma routes; Tripline routes by `Channel`,
`EventID` and `eventSource` as it does by default. Then both run with every rule over every event. Differences are
pairs of a rule's id and a line.
"""

import argparse, collections, gzip, json, os, re, resource, subprocess, sys, tempfile, time

SYSMON = {
    1: "process_creation", 2: "file_change", 3: "network_connection", 4: "sysmon_status", 5: "process_termination",
    6: "driver_load", 7: "image_load", 8: "create_remote_thread", 9: "raw_access_thread", 10: "process_access",
    11: "file_event", 15: "create_stream_hash", 16: "sysmon_status", 17: "pipe_created", 18: "pipe_created",
    19: "wmi_event", 20: "wmi_event", 21: "wmi_event", 22: "dns_query", 23: "file_delete", 25: "process_tampering",
    26: "file_delete", 29: "file_executable_detected", 255: "sysmon_error",
}
# One event, several categories of rules: it is shown to the other side once for each.
SYSMON_MORE = {12: ["registry_add", "registry_delete", "registry_event"], 13: ["registry_set", "registry_event"],
               14: ["registry_rename", "registry_event"]}
SERVICES = {
    "application": "application", "security": "security", "system": "system",
    "microsoft-windows-sysmon/operational": "sysmon", "microsoft-windows-powershell/operational": "powershell",
    "windows powershell": "powershell-classic", "microsoft-windows-wmi-activity/operational": "wmi",
    "microsoft-windows-taskscheduler/operational": "taskscheduler",
    "microsoft-windows-bits-client/operational": "bits-client", "microsoft-windows-ntlm/operational": "ntlm",
    "microsoft-windows-windows firewall with advanced security/firewall": "firewall-as",
    "microsoft-windows-windows defender/operational": "windefend",
    "microsoft-windows-terminalservices-localsessionmanager/operational": "terminalservices-localsessionmanager",
    "microsoft-windows-smbclient/security": "smbclient-security",
    "microsoft-windows-dns-client/operational": "dns-client",
}
POWERSHELL = {("powershell", 4103): "ps_module", ("powershell", 4104): "ps_script",
              ("powershell-classic", 400): "ps_classic_start", ("powershell-classic", 600): "ps_classic_provider_start",
              ("powershell-classic", 800): "ps_classic_script"}


def sources(event):
    """The log sources of an event; every part has a value, so that nothing is left open."""
    if "eventSource" in event and "eventVersion" in event:
        return [("aws", "cloudtrail", "-")]
    service = SERVICES.get(str(event.get("Channel", "")).lower(), "-")
    number = event.get("EventID")
    if service == "sysmon":
        categories = SYSMON_MORE.get(number) or [SYSMON.get(number, "-")]
    elif service == "security" and number == 4688:
        categories = ["process_creation"]
    else:
        categories = [POWERSHELL.get((service, number), "-")]
    return [("windows", service, category) for category in categories]


def annotate(path, out):
    """Writes the events with their line and log source; gives how many lines each event became."""
    opened = gzip.open(path, "rt", encoding="utf-8") if path.endswith(".gz") else open(path, encoding="utf-8")
    events = lines = 0
    with opened as text, open(out, "w", encoding="utf-8") as written:
        for number, line in enumerate(text, 1):
            event = json.loads(line)
            events += 1
            for product, service, category in sources(event):
                lines += 1
                head = f'{{"line":{number},"product":"{product}","service":"{service}","category":"{category}",'
                written.write(head + line.lstrip()[1:])
    return events, lines


def run(command, stdin=None, out=subprocess.DEVNULL):
    """CPU seconds, wall seconds and peak memory of a command."""
    started = time.monotonic()
    child = subprocess.Popen(command, stdin=open(stdin) if stdin else subprocess.DEVNULL, stdout=out,
                             stderr=subprocess.PIPE)
    errors = child.stderr.read().decode()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in (0, 1):
        sys.exit(f"{command}: {errors}")
    return usage.ru_utime + usage.ru_stime, time.monotonic() - started, usage.ru_maxrss / 1024


def best(times, *arguments, **named):
    """The run that took the least processor time."""
    return min((run(*arguments, **named) for _ in range(times)), key=lambda cost: cost[0])


def memory(cost):
    """Peak in MB; a child begins with the memory of this script, so less than that is not seen."""
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return f"{cost[2]:.0f}" if cost[2] > own + 1 else f"below {own:.0f}"


def found_by_tripline(path):
    """Pairs of a rule's id and a line."""
    pairs = set()
    for line in open(path, encoding="utf-8"):
        alert = json.loads(line)
        for events in alert["events"].values():
            for event in events:
                pairs.add((alert["about"].get("id", alert["rule"]), event["event"]["line"]))
    return pairs


def found_by_rsigma(path):
    pairs = set()
    for line in open(path, encoding="utf-8"):
        match = json.loads(line)
        pairs.add((match["rule_id"], match["event"]["line"]))
    return pairs


def rule_files(directory):
    found = []
    for where, _, names in sorted(os.walk(directory)):
        found += [os.path.join(where, name) for name in sorted(names) if name.endswith(".yml")]
    return found


def subset(files, count, directory):
    """So many rules, spread over all, in a directory of their own."""
    os.makedirs(directory, exist_ok=True)
    step = len(files) / count
    for n in range(count):
        source = files[int(n * step)]
        with open(source, encoding="utf-8") as text, open(os.path.join(directory, f"{n}.yml"), "w") as out:
            out.write(text.read())
    return directory


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tripline", required=True)
    parser.add_argument("--rsigma", required=True)
    parser.add_argument("--rules", required=True, help="a directory of Sigma rules")
    parser.add_argument("--one", help="the rule that runs alone [default: the first about process_creation]")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--no-timing", action="store_true")
    parser.add_argument("events", nargs="+")
    options = parser.parse_args()
    here = os.path.dirname(os.path.abspath(__file__))
    mapping = os.path.join(here, "mapping.yml")
    directory = tempfile.mkdtemp(prefix="sigma-compare-")
    files = rule_files(options.rules)
    titles = {}
    for path in files:
        text = open(path, encoding="utf-8").read()
        name = re.search(r"^id:\s*(\S+)", text, re.M)
        if name:
            titles[name.group(1)] = os.path.relpath(path, options.rules)
    tripline = [options.tripline, "run", "--quiet", "--threads", "1", "--progress", "never"]
    rsigma = [options.rsigma, "engine", "eval", "--quiet", "--input-format", "json"]
    differ = False
    for number, events in enumerate(options.events):
        name = os.path.basename(events)
        annotated = os.path.join(directory, f"{number}.ndjson")
        count, lines = annotate(events, annotated)
        time_field = ["--time-field", "eventTime"] if "cloudtrail" in name else []
        ours, theirs = os.path.join(directory, f"{number}.ours"), os.path.join(directory, f"{number}.theirs")
        for label, more, peers_more in (("by log source", [], ["--logsource-routing", "-p", mapping]),
                                        ("every rule over every event", ["--pipeline", "none"], [])):
            run(tripline + time_field + more + ["--evidence", "full", options.rules, annotated], out=open(ours, "w"))
            run(rsigma + peers_more + ["--include-event", "-r", options.rules, "-o", theirs], stdin=annotated)
            mine, peers = found_by_tripline(ours), found_by_rsigma(theirs)
            print(f"\n{name}, {label}: {count} events, {len(files)} rules: {len(mine & peers)} pairs of rule and event"
                  f" found by both, {len(mine - peers)} by Tripline alone, {len(peers - mine)} by rsigma alone", flush=True)
            for side, pairs in (("Tripline", mine - peers), ("rsigma", peers - mine)):
                differ |= bool(pairs)
                for rule, times in collections.Counter(rule for rule, _ in pairs).most_common():
                    first = min(line for other, line in pairs if other == rule)
                    print(f"  only {side}: {titles.get(rule, rule)}: {times} events, first line {first}")
        if options.no_timing:
            continue
        one = options.one or next(path for path in files if "process_creation" in path)
        empty = os.path.join(directory, "empty")
        open(empty, "w").close()
        print("\n| rules | Tripline CPU s | rsigma CPU s | of it load, Tripline | rsigma | events per CPU s, Tripline |"
              " rsigma | ratio | MB, Tripline | MB, rsigma |\n|---|---|---|---|---|---|---|---|---|---|")
        for label, rules in (("1", one), ("100", subset(files, 100, os.path.join(directory, "100"))),
                             (str(len(files)), options.rules)):
            costs = []
            for side in ("tripline", "rsigma"):
                def command(source):
                    if side == "tripline":
                        return (tripline + time_field + [rules, source],), {}
                    return (rsigma + ["--logsource-routing", "-p", mapping, "-r", rules],), {"stdin": source}
                arguments, named = command(empty)
                load = best(options.runs, *arguments, **named)
                arguments, named = command(annotated)
                costs.append((best(options.runs, *arguments, **named), load))
            (a, a_load), (b, b_load) = costs
            rate = lambda cost, load: lines / max(cost[0] - load[0], 1e-3)
            print(f"| {label} | {a[0]:.2f} | {b[0]:.2f} | {a_load[0]:.2f} s | {b_load[0]:.2f} s | {rate(a, a_load):,.0f} |"
                  f" {rate(b, b_load):,.0f} | {rate(a, a_load) / rate(b, b_load):.1f} | {memory(a)} | {memory(b)} |", flush=True)
    sys.exit(1 if differ else 0)


if __name__ == "__main__":
    main()
