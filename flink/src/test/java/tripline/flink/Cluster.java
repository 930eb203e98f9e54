package tripline.flink;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.apache.flink.api.common.JobID;
import org.apache.flink.api.common.JobStatus;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.configuration.RestOptions;
import org.apache.flink.configuration.RestartStrategyOptions;
import org.apache.flink.configuration.StateBackendOptions;
import org.apache.flink.core.execution.SavepointFormatType;
import org.apache.flink.runtime.execution.ExecutionState;
import org.apache.flink.runtime.jobgraph.JobGraph;
import org.apache.flink.runtime.jobgraph.SavepointRestoreSettings;
import org.apache.flink.runtime.jobmaster.JobResult;
import org.apache.flink.runtime.minicluster.MiniCluster;
import org.apache.flink.runtime.minicluster.MiniClusterConfiguration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/** A cluster in this process, and what one does with jobs. */
final class Cluster implements AutoCloseable {
    private final MiniCluster cluster;

    /** How jobs are run. */
    static final class Setup {
        int parallelism = 1;
        String backend = "hashmap";
        int restarts = 0;
        long checkpointMs = 200;
        long pauseMs = 0;
        String savepoint = null;
        boolean unaligned = false;
        Bounds bounds = Bounds.DEFAULT;
    }

    Cluster(int taskManagers, int slots) throws Exception {
        Configuration configuration = new Configuration();
        configuration.set(RestOptions.BIND_PORT, "0");
        cluster = new MiniCluster(new MiniClusterConfiguration.Builder()
                .setConfiguration(configuration)
                .setNumTaskManagers(taskManagers)
                .setNumSlotsPerTaskManager(slots)
                .build());
        cluster.start();
    }

    /** Submits the job over files; alerts go to a directory. */
    JobID submit(Rules rules, List<String> files, Path alerts, Setup setup) throws Exception {
        Configuration configuration = new Configuration();
        configuration.set(StateBackendOptions.STATE_BACKEND, setup.backend);
        configuration.set(CheckpointingOptions.CHECKPOINTING_INTERVAL, Duration.ofMillis(setup.checkpointMs));
        configuration.set(CheckpointingOptions.ENABLE_UNALIGNED, setup.unaligned);
        configuration.set(CheckpointingOptions.CHECKPOINT_STORAGE, "filesystem");
        configuration.set(
                CheckpointingOptions.CHECKPOINTS_DIRECTORY,
                Files.createTempDirectory("tripline-checkpoints").toUri().toString());
        configuration.set(RestartStrategyOptions.RESTART_STRATEGY, setup.restarts == 0 ? "none" : "fixed-delay");
        configuration.set(RestartStrategyOptions.RESTART_STRATEGY_FIXED_DELAY_ATTEMPTS, Math.max(setup.restarts, 1));
        configuration.set(RestartStrategyOptions.RESTART_STRATEGY_FIXED_DELAY_DELAY, Duration.ofMillis(100));
        configuration.set(PipelineOptions.MAX_PARALLELISM, 128);
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment(configuration);
        env.setParallelism(setup.parallelism);
        env.getConfig().enableObjectReuse();
        env.getConfig().setAutoWatermarkInterval(20);
        Routing routing = new Routing(rules);
        var items = Topology.source(
                env, new FileSource(routing, files, setup.pauseMs), routing, Topology.watermarks(rules), "files");
        Topology topology = Topology.build(env, items, rules, setup.bounds);
        topology.alerts.sinkTo(Job.files(alerts.toUri().toString())).uid("tripline-alerts-files");
        JobGraph graph = env.getStreamGraph().getJobGraph();
        if (setup.savepoint != null) {
            graph.setSavepointRestoreSettings(SavepointRestoreSettings.forPath(setup.savepoint, false));
        }
        return cluster.submitJob(graph).get(60, TimeUnit.SECONDS).getJobID();
    }

    /** Waits for the end of a job; an error is its cause. */
    void await(JobID job) throws Exception {
        JobResult result = cluster.requestJobResult(job).get(5, TimeUnit.MINUTES);
        if (result.getSerializedThrowable().isPresent()) {
            throw new Exception(result.getSerializedThrowable().get().deserializeError(Cluster.class.getClassLoader()));
        }
    }

    /** Stops a running job with a savepoint, and says where that is. */
    String stop(JobID job, Path directory) throws Exception {
        try {
            return cluster.stopWithSavepoint(job, directory.toUri().toString(), false, SavepointFormatType.CANONICAL)
                    .get(60, TimeUnit.SECONDS);
        } catch (ExecutionException e) {
            // If the job has failed, its own error says more.
            if (status(job).isGloballyTerminalState()) {
                await(job);
            }
            throw e;
        }
    }

    /** Waits until all tasks of a job run. */
    void awaitTasks(JobID job) throws Exception {
        while (true) {
            boolean any = false;
            boolean all = true;
            for (var vertex : cluster.getExecutionGraph(job).get(60, TimeUnit.SECONDS).getAllExecutionVertices()) {
                any = true;
                all &= vertex.getExecutionState() == ExecutionState.RUNNING;
            }
            if (any && all || status(job).isGloballyTerminalState()) {
                return;
            }
            Thread.sleep(20);
        }
    }

    /** Waits until a job has completed so many checkpoints since it was submitted. */
    void awaitCheckpoints(JobID job, long count) throws Exception {
        long done = 0;
        while (done < count) {
            if (status(job).isGloballyTerminalState()) {
                await(job);
                throw new IllegalStateException("the job ended after " + done + " checkpoints");
            }
            var graph = cluster.getExecutionGraph(job).get(60, TimeUnit.SECONDS);
            var stats = graph.getCheckpointStatsSnapshot();
            done = stats == null ? 0 : stats.getCounts().getNumberOfCompletedCheckpoints();
            Thread.sleep(20);
        }
    }

    /** Waits until a file of alerts that is finished holds a text. */
    void awaitAlert(JobID job, Path alerts, String text) throws Exception {
        while (!holds(alerts, text)) {
            if (status(job).isGloballyTerminalState()) {
                await(job);
                throw new IllegalStateException("the job ended without " + text);
            }
            Thread.sleep(50);
        }
    }

    private static boolean holds(Path alerts, String text) throws IOException {
        try {
            return alerts(alerts).stream().anyMatch(line -> line.contains(text));
        } catch (UncheckedIOException | NoSuchFileException e) {
            // A file was renamed while the directory was read.
            return false;
        }
    }

    JobStatus status(JobID job) throws Exception {
        return cluster.getJobStatus(job).get(60, TimeUnit.SECONDS);
    }

    /** Ends a task manager as a crash would. */
    void kill(int taskManager) throws Exception {
        cluster.terminateTaskManager(taskManager).get(60, TimeUnit.SECONDS);
        cluster.startTaskManager();
    }

    /** Runs a job to its end, and gives its alerts, sorted. */
    List<String> run(Rules rules, List<String> files, Setup setup) throws Exception {
        Path alerts = Files.createTempDirectory("tripline-alerts");
        await(submit(rules, files, alerts, setup));
        return alerts(alerts);
    }

    /** The lines of all finished files in a directory, sorted. */
    static List<String> alerts(Path directory) throws IOException {
        List<String> lines = new ArrayList<>();
        try (Stream<Path> files = Files.walk(directory)) {
            for (Path file : (Iterable<Path>) files.filter(Files::isRegularFile)::iterator) {
                // Files in progress begin with a dot.
                if (!file.getFileName().toString().startsWith(".")) {
                    lines.addAll(Files.readAllLines(file));
                }
            }
        }
        Collections.sort(lines);
        return lines;
    }

    @Override
    public void close() throws Exception {
        cluster.close();
    }
}
