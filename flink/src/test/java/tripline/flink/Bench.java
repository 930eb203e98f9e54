package tripline.flink;

import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.RestOptions;
import org.apache.flink.configuration.StateBackendOptions;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;

/**
 * Times a job over files in one process: {@code RULES PARALLELISM BACKEND FILE…}. What it prints stands in docs/scale.md.
 */
final class Bench {
    private Bench() {}

    public static void main(String[] arguments) throws Exception {
        Rules rules = Rules.watched(arguments[0], 1_000_000);
        int parallelism = Integer.parseInt(arguments[1]);
        List<String> files = List.of(arguments).subList(3, arguments.length);
        Configuration configuration = new Configuration();
        configuration.set(StateBackendOptions.STATE_BACKEND, arguments[2]);
        configuration.set(RestOptions.BIND_PORT, "0");
        if (!arguments[2].equals("hashmap")) {
            configuration.set(CheckpointingOptions.CHECKPOINTING_INTERVAL, Duration.ofSeconds(1));
        }
        StreamExecutionEnvironment env = StreamExecutionEnvironment.createLocalEnvironment(parallelism, configuration);
        env.getConfig().enableObjectReuse();
        env.getConfig().setAutoWatermarkInterval(Long.getLong("watermark", 200));
        var items = env.fromSource(new FileSource(rules, files, 0), Topology.watermarks(rules), "files", Item.TYPE);
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
}
