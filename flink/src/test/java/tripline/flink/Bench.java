package tripline.flink;

import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.RestOptions;
import org.apache.flink.configuration.StateBackendOptions;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;

/**
 * Times a job over files in one process, {@code RULES PARALLELISM BACKEND FILE…}, or what crosses the boundary without
 * Flink around it, {@code RULES boundary FILE}. What it prints stands in docs/scale.md.
 */
final class Bench {
    private Bench() {}

    public static void main(String[] arguments) throws Exception {
        Rules rules = Rules.fixed(Files.readAllBytes(Path.of(arguments[0])));
        if (arguments[1].equals("boundary")) {
            boundary(rules, Path.of(arguments[2]));
            return;
        }
        int parallelism = Integer.parseInt(arguments[1]);
        List<String> files = List.of(arguments).subList(3, arguments.length);
        Configuration configuration = new Configuration();
        configuration.set(StateBackendOptions.STATE_BACKEND, arguments[2]);
        configuration.set(RestOptions.BIND_PORT, "0");
        if (!arguments[2].equals("hashmap")) {
            configuration.set(CheckpointingOptions.CHECKPOINTING_INTERVAL, Duration.ofSeconds(1));
            configuration.set(CheckpointingOptions.INCREMENTAL_CHECKPOINTS, true);
            configuration.setString(
                    "state.backend.rocksdb.timer-service.factory", System.getProperty("timers", "ROCKSDB"));
        }
        StreamExecutionEnvironment env = StreamExecutionEnvironment.createLocalEnvironment(parallelism, configuration);
        env.getConfig().enableObjectReuse();
        env.getConfig().setAutoWatermarkInterval(Long.getLong("watermark", 200));
        Routing routing = new Routing(rules);
        var items = Topology.source(env, new FileSource(routing, files, 0), routing, Topology.watermarks(rules), "files");
        Topology topology = Topology.build(env, items, rules);
        topology.alerts.sinkTo(new DiscardingSink<>());
        long start = System.nanoTime();
        env.execute("bench");
        double seconds = (System.nanoTime() - start) / 1e9;
        var system = (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
        System.out.printf(
                Locale.ROOT, "job %.2f s, process CPU %.2f s%n", seconds, system.getProcessCpuTime() / 1e9);
        System.exit(0);
    }

    /** Routes a file in blocks, then steps its keys as often as they have events, 512 keys a call. */
    private static void boundary(Rules rules, Path file) throws Exception {
        byte[] bytes = Files.readAllBytes(file);
        try (Task task = rules.open()) {
            Map<String, ArrayDeque<byte[]>> events = new LinkedHashMap<>();
            long lines = 0;
            long routed = 0;
            long size = 0;
            long newest = Long.MIN_VALUE;
            long first = Long.MAX_VALUE;
            Item.Counts counts = new Item.Counts();
            for (int from = 0; from < bytes.length; ) {
                int to = Math.min(from + (64 << 10), bytes.length);
                while (to < bytes.length && bytes[to - 1] != '\n') {
                    to++;
                }
                byte[] block = Arrays.copyOfRange(bytes, from, to);
                from = to;
                long begun = System.nanoTime();
                var answer = task.route(0, lines + 1, 0, newest, block);
                routed += System.nanoTime() - begun;
                newest = Item.give(answer, newest, counts, (item, ms) -> {
                    if (item.f0 == Item.EVENT) {
                        events.computeIfAbsent(item.f2, key -> new ArrayDeque<>()).add(item.f3);
                    }
                });
                lines = counts.events;
                first = Math.min(first, newest);
            }
            Map<String, byte[]> states = new HashMap<>();
            long steps = 0;
            long stepped = 0;
            List<String> keys = new ArrayList<>(events.keySet());
            for (boolean more = true; more; ) {
                more = false;
                for (int from = 0; from < keys.size(); from += 512) {
                    List<String> some = keys.subList(from, Math.min(from + 512, keys.size()));
                    ByteArrayOutputStream call = new ByteArrayOutputStream();
                    DataOutputStream out = new DataOutputStream(call);
                    List<String> due = new ArrayList<>();
                    long watermark = Long.MIN_VALUE;
                    for (String key : some) {
                        byte[] event = events.get(key).poll();
                        if (event == null) {
                            continue;
                        }
                        more = true;
                        due.add(key);
                        byte[] state = states.getOrDefault(key, new byte[0]);
                        out.writeInt(key.length());
                        out.write(Task.key(key));
                        out.writeInt(state.length);
                        out.write(state);
                        out.writeInt(1);
                        out.writeInt(event.length);
                        out.write(event);
                        size += event.length + key.length();
                        watermark = Math.max(watermark, Task.time(event));
                    }
                    byte[] all = call.toByteArray();
                    long begun = System.nanoTime();
                    var answer = task.step(first, watermark, Task.NEVER_YET, all);
                    stepped += System.nanoTime() - begun;
                    steps += due.size();
                    for (String key : due) {
                        states.put(key, Task.bytes(answer));
                        answer.getLong();
                        int waiting = answer.getInt();
                        answer.position(answer.position() + Integer.BYTES * waiting);
                        for (int n = answer.getInt(); n > 0; n--) {
                            Task.bytes(answer);
                        }
                        for (int n = answer.getInt(); n > 0; n--) {
                            answer.getLong();
                            Task.bytes(answer);
                        }
                        answer.getInt();
                    }
                }
            }
            long state = states.values().stream().mapToLong(kept -> kept.length).sum();
            System.out.printf(
                    Locale.ROOT,
                    "routing %.0f ns an event, %.3f records and %.1f bytes an event; a step %.0f ns; state %.1f bytes a key%n",
                    (double) routed / lines,
                    (double) steps / lines,
                    (double) size / lines,
                    (double) stepped / steps,
                    (double) state / states.size());
        }
    }
}
