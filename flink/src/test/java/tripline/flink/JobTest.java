package tripline.flink;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.apache.flink.api.common.JobID;
import org.apache.flink.runtime.state.KeyGroupRangeAssignment;
import org.apache.flink.util.ExceptionUtils;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * The job gives what one native process gives, line for line.
 *
 * <p>{@code tests/flink/run} makes the directory that the property {@code tripline.cases} names: in it each case has a
 * directory with {@code rules.json}, {@code events.ndjson} and {@code alerts.ndjson}, which one process made of them.
 */
class JobTest {
    private static final Path CASES = Path.of(System.getProperty("tripline.cases", ""));
    private static Cluster cluster;

    @BeforeAll
    static void start() throws Exception {
        cluster = new Cluster(2, 4);
    }

    @AfterAll
    static void stop() throws Exception {
        cluster.close();
    }

    private record Case(String name, byte[] text, List<String> files, List<String> alerts) {
        Rules bundle() {
            return Rules.fixed(text);
        }

        static Case of(String name) throws IOException {
            Path directory = CASES.resolve(name);
            List<String> files = new ArrayList<>();
            for (int n = 0; Files.exists(directory.resolve("events" + n + ".ndjson")); n++) {
                files.add(directory.resolve("events" + n + ".ndjson").toUri().toString());
            }
            List<String> alerts = new ArrayList<>(Files.readAllLines(directory.resolve("alerts.ndjson")));
            Collections.sort(alerts);
            assertTrue(alerts.size() > 4, name + " has alerts");
            return new Case(name, Files.readAllBytes(directory.resolve("rules.json")), files, alerts);
        }
    }

    private static Cluster.Setup setup(int parallelism) {
        Cluster.Setup setup = new Cluster.Setup();
        setup.parallelism = parallelism;
        return setup;
    }

    private static void same(String what, List<String> expected, List<String> got) {
        if (expected.equals(got)) {
            return;
        }
        // Both are sorted.
        List<String> missing = minus(expected, got);
        List<String> more = minus(got, expected);
        assertTrue(
                missing.isEmpty() && more.isEmpty(),
                () -> what + ": " + missing.size() + " missing, " + more.size() + " too many\n" + String.join("\n", missing)
                        + "\n---\n" + String.join("\n", more));
    }

    /** What is left of a list without the lines of another, each as often as it is there. */
    private static List<String> minus(List<String> from, List<String> lines) {
        Map<String, Integer> times = new HashMap<>();
        lines.forEach(line -> times.merge(line, 1, Integer::sum));
        return from.stream().filter(line -> times.merge(line, -1, Integer::sum) < 0).toList();
    }

    /** Cases that are all run alike. */
    private static List<String> cases() throws IOException {
        try (var directories = Files.list(CASES)) {
            return directories.map(path -> path.getFileName().toString())
                    .filter(name -> name.startsWith("packs"))
                    .sorted()
                    .toList();
        }
    }

    @Test
    void allCasesAtParallelismOneTwoAndFour() throws Exception {
        assertTrue(cases().size() >= 3, "cases: " + cases());
        for (String name : cases()) {
            Case it = Case.of(name);
            for (int parallelism : new int[] {1, 2, 4}) {
                same(name + " at " + parallelism, it.alerts, cluster.run(it.bundle(), it.files, setup(parallelism)));
            }
        }
    }

    /** Longer cases, at a parallelism of 4. */
    @Test
    void casesThatAreRunOnce() throws Exception {
        try (var directories = Files.list(CASES)) {
            for (Path path : (Iterable<Path>) directories.filter(p -> p.getFileName().toString().startsWith("once-"))::iterator) {
                Case it = Case.of(path.getFileName().toString());
                same(it.name, it.alerts, cluster.run(it.bundle(), it.files, setup(4)));
            }
        }
    }

    /** Events for a key come to the task that Flink sends them to, and in their order. */
    @Test
    void keyGroupsAreThoseOfFlink() throws IOException {
        Random random = new Random(3);
        for (int count : new int[] {1, 128, 1000, 32768}) {
            KeyGroups groups = new KeyGroups(count);
            ByteArrayOutputStream events = new ByteArrayOutputStream();
            for (int n = 0; n < 2000; n++) {
                byte[] key = new byte[random.nextInt(20)];
                random.nextBytes(key);
                put(key, events);
                put(new byte[] {(byte) n}, events);
            }
            List<String> seen = new ArrayList<>();
            try (Sorter sorter = new Sorter(count)) {
                sorter.add(events.toByteArray());
                sorter.give((upper, group, sorted) -> {
                    String stands = groups.record(group, new byte[0]).getValue().f0;
                    assertEquals(group, KeyGroupRangeAssignment.assignToKeyGroup(stands, count));
                    ByteBuffer block = ByteBuffer.wrap(sorted).order(ByteOrder.LITTLE_ENDIAN);
                    for (block.get(); block.hasRemaining(); take(block)) {
                        String key = Task.key(take(block));
                        assertEquals(group, KeyGroupRangeAssignment.assignToKeyGroup(key, count), key);
                        seen.add(key);
                    }
                });
                sorter.give((upper, group, sorted) -> fail("it was taken"));
            }
            assertEquals(2000, seen.size());
        }
    }

    private static void put(byte[] bytes, ByteArrayOutputStream out) {
        out.writeBytes(ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(bytes.length).array());
        out.writeBytes(bytes);
    }

    private static byte[] take(ByteBuffer from) {
        byte[] bytes = new byte[from.getInt()];
        from.get(bytes);
        return bytes;
    }

    /** Few keys are kept ready, so most come and go at every watermark, with state on the heap and in RocksDB. */
    @Test
    void keysThatComeAndGo() throws Exception {
        for (String name : List.of("packs-shuffled", "packs-stages")) {
            Case it = Case.of(name);
            Cluster.Setup setup = setup(2);
            for (String backend : List.of("hashmap", "rocksdb")) {
                setup.backend = backend;
                for (int keys : new int[] {0, 5}) {
                    setup.bounds = new Bounds(keys, 1 << 20);
                    same(name + ", " + keys + " keys, " + backend, it.alerts, cluster.run(it.bundle(), it.files, setup));
                }
            }
        }
    }

    /** Checkpoints that do not wait for records on their way: these come before what is restored with them. */
    @Test
    void unalignedCheckpoints() throws Exception {
        Case it = Case.of("packs-inputs");
        Path alerts = Files.createTempDirectory("tripline-alerts");
        try (Cluster own = new Cluster(2, 2)) {
            Cluster.Setup setup = slow(2);
            setup.unaligned = true;
            setup.restarts = 1000;
            setup.checkpointMs = 50;
            setup.pauseMs = 100;
            JobID job = own.submit(it.bundle(), it.files, alerts, setup);
            for (int n = 0; n < 2; n++) {
                own.awaitCheckpoints(job, 3 * (n + 1));
                own.kill(n);
                own.awaitTasks(job);
            }
            FileReader.hurry = true;
            own.await(job);
        }
        same("with unaligned checkpoints", it.alerts, Cluster.alerts(alerts));
    }

    @Test
    void stateInRocksDb() throws Exception {
        Case it = Case.of("packs-shuffled");
        Cluster.Setup setup = setup(2);
        setup.backend = "rocksdb";
        same("with RocksDB", it.alerts, cluster.run(it.bundle(), it.files, setup));
    }

    @BeforeEach
    void takeTime() {
        FileReader.hurry = false;
    }

    /** So slow that something can be done meanwhile. */
    private static Cluster.Setup slow(int parallelism) {
        Cluster.Setup setup = setup(parallelism);
        setup.pauseMs = 1000;
        return setup;
    }

    @Test
    void savepointsAndOtherParallelism() throws Exception {
        Case it = Case.of("packs-inputs");
        // Five files, so that every reader has one: Flink stops a job only while all its tasks run.
        Path alerts = Files.createTempDirectory("tripline-alerts");
        Path savepoints = Files.createTempDirectory("tripline-savepoints");
        Cluster.Setup setup = slow(2);
        setup.pauseMs = 1000;
        int stops = 0;
        for (int parallelism : new int[] {2, 4, 1}) {
            setup.parallelism = parallelism;
            JobID job = cluster.submit(it.bundle(), it.files, alerts, setup);
            cluster.awaitTasks(job);
            if (parallelism != 1) {
                cluster.awaitCheckpoints(job, 2);
                setup.savepoint = cluster.stop(job, savepoints);
                stops++;
            } else {
                FileReader.hurry = true;
                cluster.await(job);
            }
        }
        assertEquals(2, stops);
        same("2, then 4, then 1", it.alerts, Cluster.alerts(alerts));
    }

    @Test
    void taskManagersThatEnd() throws Exception {
        Case it = Case.of("packs-shuffled");
        Random random = new Random(4);
        int kills = Integer.getInteger("tripline.kills", 3);
        try (Cluster own = new Cluster(2, 2)) {
            Path alerts = Files.createTempDirectory("tripline-alerts");
            Cluster.Setup setup = slow(2);
            setup.restarts = 1000;
            setup.checkpointMs = 100;
            setup.pauseMs = 100;
            JobID job = own.submit(it.bundle(), it.files, alerts, setup);
            int n = 0;
            while (n < kills && !own.status(job).isTerminalState()) {
                own.awaitTasks(job);
                // At any moment, with the last checkpoint just done or long ago.
                Thread.sleep(random.nextInt(300));
                own.kill(n++);
            }
            FileReader.hurry = true;
            own.await(job);
            assertTrue(n > 0, "a task manager ended while the job ran");
            same("with " + n + " task managers that ended", it.alerts, Cluster.alerts(alerts));
        }
    }

    @Test
    void rulesThatAreEditedBetweenSavepoints() throws Exception {
        // Before: the rule `first`. After: another in front of it, so that all numbers differ.
        Case before = Case.of("edit-before");
        Case after = Case.of("edit-after");
        Path alerts = Files.createTempDirectory("tripline-alerts");
        Path savepoints = Files.createTempDirectory("tripline-savepoints");
        Cluster.Setup setup = slow(2);
        JobID job = cluster.submit(before.bundle(), before.files, alerts, setup);
        cluster.awaitCheckpoints(job, 2);
        setup.savepoint = cluster.stop(job, savepoints);
        setup.pauseMs = 0;
        cluster.await(cluster.submit(after.bundle(), before.files, alerts, setup));
        List<String> kept = new ArrayList<>(Cluster.alerts(alerts));
        kept.removeIf(line -> !line.contains("\"rule\":\"first\""));
        same("the rule that stays", before.alerts, kept);
    }

    @Test
    void rulesThatChangeWhileTheJobRuns() throws Exception {
        Case before = Case.of("edit-before");
        Case after = Case.of("edit-after");
        Path rules = Files.createTempFile("tripline-rules", ".json");
        Path alerts = Files.createTempDirectory("tripline-alerts");
        Files.write(rules, before.text);
        Cluster.Setup setup = slow(2);
        JobID job = cluster.submit(Rules.watched(rules.toUri().toString(), 50), before.files, alerts, setup);
        cluster.awaitAlert(job, alerts, "\"rule\":\"first\"");
        replace(rules, after.text);
        cluster.awaitAlert(job, alerts, "\"rule\":\"zero\"");
        FileReader.hurry = true;
        cluster.await(job);
        List<String> all = Cluster.alerts(alerts);
        List<String> kept = new ArrayList<>(all);
        kept.removeIf(line -> !line.contains("\"rule\":\"first\""));
        same("the rule that stays", before.alerts, kept);
        long came = all.size() - kept.size();
        long whole = after.alerts.stream().filter(line -> line.contains("\"rule\":\"zero\"")).count();
        assertTrue(0 < came && came < whole, "the rule that came: " + came + " of " + whole);
    }

    private static void replace(Path file, byte[] bytes) throws IOException {
        Path next = Files.createTempFile("tripline-rules", ".json");
        Files.write(next, bytes);
        Files.move(next, file, StandardCopyOption.ATOMIC_MOVE);
    }

    @Test
    void rulesThatCameAreKeptThroughAFailure() throws Exception {
        Case before = Case.of("edit-before");
        Case after = Case.of("edit-after");
        Path rules = Files.createTempFile("tripline-rules", ".json");
        Path alerts = Files.createTempDirectory("tripline-alerts");
        Files.write(rules, before.text);
        try (Cluster own = new Cluster(2, 2)) {
            Cluster.Setup setup = slow(2);
            setup.restarts = 1000;
            setup.checkpointMs = 100;
            JobID job = own.submit(Rules.watched(rules.toUri().toString(), 50), before.files, alerts, setup);
            own.awaitAlert(job, alerts, "\"rule\":\"first\"");
            // Rules with errors change nothing.
            replace(rules, "{\"version\":1,\"rules\":[{\"name\":\"a.trip\",\"text\":\"rule\"}],\"tables\":[],\"settings\":{}}"
                    .getBytes(StandardCharsets.UTF_8));
            Thread.sleep(200);
            replace(rules, after.text);
            own.awaitAlert(job, alerts, "\"rule\":\"zero\"");
            // What is in the checkpoint is all there is now.
            Files.delete(rules);
            own.kill(0);
            own.kill(1);
            FileReader.hurry = true;
            own.await(job);
        }
        List<String> all = Cluster.alerts(alerts);
        List<String> kept = new ArrayList<>(all);
        kept.removeIf(line -> !line.contains("\"rule\":\"first\""));
        same("the rule that stays", before.alerts, kept);
        // Of the rule that came, everything from its first alert on is there.
        List<String> came = new ArrayList<>(all);
        came.removeIf(line -> !line.contains("\"rule\":\"zero\""));
        String first = came.stream().map(JobTest::time).min(String::compareTo).orElseThrow();
        List<String> expected = new ArrayList<>(after.alerts);
        expected.removeIf(line -> !line.contains("\"rule\":\"zero\"") || time(line).compareTo(first) < 0);
        same("the rule that came", expected, came);
    }

    private static String time(String alert) {
        int at = alert.indexOf("\"time\":\"") + 8;
        return alert.substring(at, alert.indexOf('"', at));
    }

    @Test
    void aPanicFailsTheTaskAndNamesRuleAndKey() throws Exception {
        Case it = Case.of("edit-before");
        String failing = new String(it.text, StandardCharsets.UTF_8)
                .replace("\"fail_in\":null", "\"fail_in\":\"first\"");
        Exception error = assertThrows(
                Exception.class,
                () -> cluster.run(Rules.fixed(failing.getBytes(StandardCharsets.UTF_8)), it.files, setup(1)));
        String text = ExceptionUtils.stringifyException(error);
        assertTrue(text.contains("rule `first`, key ["), text);
        // This process, and its cluster, live on.
        same("after a panic", it.alerts, cluster.run(it.bundle(), it.files, setup(1)));
    }

    @Test
    void rulesWithErrorsAreShown() {
        byte[] wrong = "{\"version\":1,\"rules\":[{\"name\":\"a.trip\",\"text\":\"rule a { match { x: } }\"}],\"tables\":[],\"settings\":{}}"
                .getBytes(StandardCharsets.UTF_8);
        RuleException error = assertThrows(RuleException.class, () -> new Task(wrong));
        assertTrue(error.getMessage().contains("a.trip:1"), error.getMessage());
    }
}
