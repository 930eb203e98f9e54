package tripline.flink;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
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
 * Times a job over files in one process, {@code RULES PARALLELISM BACKEND FILE…}. What it prints stands in docs/scale.md;
 * {@code benches/boundary} has what crosses the boundary without Flink around it.
 */
final class Bench {
    private Bench() {}

    public static void main(String[] arguments) throws Exception {
        Rules rules = Rules.fixed(Files.readAllBytes(Path.of(arguments[0])));
        int parallelism = Integer.parseInt(arguments[1]);
        List<String> files = List.of(arguments).subList(3, arguments.length);
        Configuration configuration = configuration(arguments[2]);
        StreamExecutionEnvironment env = StreamExecutionEnvironment.createLocalEnvironment(parallelism, configuration);
        env.getConfig().enableObjectReuse();
        env.getConfig().setAutoWatermarkInterval(Long.getLong("watermark", 200));
        Bounds bounds = new Bounds(Integer.getInteger("ready", Bounds.DEFAULT.keys()), Bounds.DEFAULT.bytes());
        Routing routing = new Routing(rules);
        var items = Topology.source(env, new FileSource(routing, files, 0), routing, Topology.watermarks(rules), "files");
        Topology topology = Topology.build(env, items, rules, bounds);
        topology.alerts.sinkTo(new DiscardingSink<>());
        Checkpoints checkpoints = new Checkpoints();
        long start = System.nanoTime();
        env.execute("bench");
        checkpoints.print();
        double seconds = (System.nanoTime() - start) / 1e9;
        var system = (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
        System.out.printf(
                Locale.ROOT, "job %.2f s, process CPU %.2f s%n", seconds, system.getProcessCpuTime() / 1e9);
        System.exit(0);
    }

    /** A backend; with the property {@code checkpoint} a checkpoint as often as it says, in milliseconds. */
    static Configuration configuration(String backend) {
        Configuration configuration = new Configuration();
        configuration.set(StateBackendOptions.STATE_BACKEND, backend);
        configuration.set(RestOptions.BIND_PORT, "0");
        long every = Long.getLong("checkpoint", 0);
        if (every > 0) {
            configuration.set(CheckpointingOptions.CHECKPOINTING_INTERVAL, Duration.ofMillis(every));
            configuration.set(CheckpointingOptions.INCREMENTAL_CHECKPOINTS, true);
            configuration.set(CheckpointingOptions.CHECKPOINT_STORAGE, "filesystem");
            configuration.set(CheckpointingOptions.CHECKPOINTS_DIRECTORY, Checkpoints.DIRECTORY.toUri().toString());
            configuration.setString(
                    "state.backend.rocksdb.timer-service.factory", System.getProperty("timers", "ROCKSDB"));
        }
        return configuration;
    }

    /** Looks how large checkpoints are: Flink removes them when a job ends. */
    static final class Checkpoints extends Thread {
        static final Path DIRECTORY = temporary();

        private volatile long largest;

        Checkpoints() {
            setDaemon(true);
            start();
        }

        private static Path temporary() {
            try {
                return Files.createTempDirectory("tripline-checkpoints");
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        @Override
        public void run() {
            while (true) {
                try (var files = Files.walk(DIRECTORY)) {
                    // By directory: each checkpoint has one, and what incremental ones share has another.
                    Map<Path, Long> sizes = new HashMap<>();
                    for (Path file : (Iterable<Path>) files.filter(Files::isRegularFile)::iterator) {
                        sizes.merge(file.getParent(), Files.size(file), Long::sum);
                    }
                    largest = Math.max(largest, sizes.values().stream().mapToLong(size -> size).max().orElse(0));
                } catch (IOException | UncheckedIOException e) {
                    // A file was removed meanwhile.
                }
                try {
                    Thread.sleep(20);
                } catch (InterruptedException e) {
                    return;
                }
            }
        }

        void print() {
            if (largest > 0) {
                System.out.println("at most " + largest + " bytes of a checkpoint");
            }
        }
    }
}
