package tripline.flink;

import java.io.IOException;
import java.io.InputStream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.serialization.SimpleStringEncoder;
import org.apache.flink.api.common.serialization.SimpleStringSchema;
import org.apache.flink.api.connector.sink2.Sink;
import org.apache.flink.api.java.tuple.Tuple4;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.file.sink.FileSink;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.filesystem.rollingpolicies.OnCheckpointRollingPolicy;

/** The job: rules over files or topics, alerts to files or a topic. */
public final class Job {
    private static final String USAGE =
            """
            flink run job.jar INPUT OUTPUT [OPTIONS]

            Inputs:
              --files FILE,FILE         files of lines, each an input; the job ends with them
              --kafka HOST:PORT,…       brokers, with
              --topics TOPIC,TOPIC      topics whose records are events in JSON
              --group NAME              the consumer group [default: tripline]
              --from earliest|latest|committed  where to begin without a savepoint [default: committed, then earliest]
              --until-end               stop at the offsets that are the last now
              --idle SECONDS            a partition that is silent so long holds nobody back [default: 60]
            Outputs:
              --alerts DIR              files of alerts, a JSON line each
              --alerts-topic TOPIC      a topic of the same brokers
              --late DIR                files of lines that came too late
              --late-topic TOPIC        a topic for them
            Options:
              --rules FILE              rules that `tripline flink package -o FILE.json` made, instead of the jar's own;
                                        the job goes on with new ones when the file changes
              --rules-topic TOPIC       a topic of the same brokers whose records are such files: the job begins with the
                                        jar's own rules, and goes on with the last one there that has no errors
              --look SECONDS            how often it is looked at [default: 10]
              --ready-keys NUMBER       keys that each task keeps ready beside Flink's state [default: 262144]
              --ready-mib NUMBER        and how much memory they may take, about, in MiB [default: 256]
              --exactly-once            alerts become visible with checkpoints, in transactions
            Parallelism, checkpoints and the state backend are Flink's own settings.
            """;

    private Job() {}

    public static void main(String[] arguments) throws Exception {
        Map<String, String> options;
        try {
            options = options(arguments);
        } catch (IllegalArgumentException e) {
            System.err.println("error: " + e.getMessage() + "\n\n" + USAGE);
            throw e;
        }
        Rules rules = rules(options);
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        env.getConfig().enableObjectReuse();
        DataStream<Tuple4<Byte, Long, String, byte[]>> items = source(env, options, rules);
        Topology topology = Topology.build(env, items, rules, bounds(options));
        sink(topology.alerts, options, "alerts");
        if (options.containsKey("late") || options.containsKey("late-topic")) {
            sink(topology.late, options, "late");
        }
        env.execute("tripline");
    }

    private static Map<String, String> options(String[] arguments) {
        List<String> known = List.of(
                "files", "kafka", "topics", "group", "from", "idle", "alerts", "alerts-topic", "late", "late-topic", "rules", "rules-topic",
                "look", "ready-keys", "ready-mib");
        List<String> words = List.of("until-end", "exactly-once");
        Map<String, String> options = new HashMap<>();
        for (int at = 0; at < arguments.length; at++) {
            String name = arguments[at].startsWith("--") ? arguments[at].substring(2) : "";
            if (words.contains(name)) {
                options.put(name, "");
            } else if (known.contains(name) && at + 1 < arguments.length) {
                options.put(name, arguments[++at]);
            } else {
                throw new IllegalArgumentException("`" + arguments[at] + "` is no option, or lacks its value");
            }
        }
        if (options.containsKey("files") == options.containsKey("kafka")) {
            throw new IllegalArgumentException("name one input: --files or --kafka");
        }
        if (options.containsKey("kafka") && !options.containsKey("topics")) {
            throw new IllegalArgumentException("--kafka needs --topics");
        }
        if (options.containsKey("rules-topic") && !options.containsKey("kafka")) {
            throw new IllegalArgumentException("--rules-topic needs --kafka");
        }
        if (options.containsKey("rules-topic") && options.containsKey("rules")) {
            throw new IllegalArgumentException("new rules come from one place: --rules or --rules-topic");
        }
        if (!options.containsKey("alerts") && !options.containsKey("alerts-topic")) {
            throw new IllegalArgumentException("name an output: --alerts or --alerts-topic");
        }
        return options;
    }

    private static Bounds bounds(Map<String, String> options) {
        String keys = options.getOrDefault("ready-keys", Integer.toString(Bounds.DEFAULT.keys()));
        String mib = options.get("ready-mib");
        return new Bounds(Integer.parseInt(keys), mib == null ? Bounds.DEFAULT.bytes() : Long.parseLong(mib) << 20);
    }

    private static Rules rules(Map<String, String> options) throws IOException {
        String path = options.get("rules");
        long everyMs = 1000 * Long.parseLong(options.getOrDefault("look", "10"));
        if (path != null) {
            return Rules.watched(path, everyMs);
        }
        try (InputStream packed = Job.class.getResourceAsStream("/tripline/rules.json")) {
            if (packed == null) {
                throw new IOException(
                        "this jar holds no rules: make one with `tripline flink package rules/ -o job.jar`");
            }
            String topic = options.get("rules-topic");
            if (topic != null) {
                Properties brokers = new Properties();
                brokers.setProperty("bootstrap.servers", options.get("kafka"));
                return Rules.ofTopic(packed.readAllBytes(), brokers, topic, everyMs);
            }
            return Rules.fixed(packed.readAllBytes());
        }
    }

    private static DataStream<Tuple4<Byte, Long, String, byte[]>> source(
            StreamExecutionEnvironment env, Map<String, String> options, Rules rules) {
        WatermarkStrategy<Tuple4<Byte, Long, String, byte[]>> watermarks = Topology.watermarks(rules);
        Routing routing = new Routing(rules);
        if (options.containsKey("files")) {
            List<String> files = List.of(options.get("files").split(","));
            return Topology.source(env, new FileSource(routing, files, 0), routing, watermarks, "files");
        }
        List<String> topics = new ArrayList<>(List.of(options.get("topics").split(",")));
        OffsetsInitializer from = switch (options.getOrDefault("from", "committed")) {
            case "earliest" -> OffsetsInitializer.earliest();
            case "latest" -> OffsetsInitializer.latest();
            case "committed" -> OffsetsInitializer.committedOffsets(
                    org.apache.kafka.clients.consumer.OffsetResetStrategy.EARLIEST);
            default -> throw new IllegalArgumentException("--from is earliest, latest or committed");
        };
        var source = KafkaSource.<Tuple4<Byte, Long, String, byte[]>>builder()
                .setBootstrapServers(options.get("kafka"))
                .setTopics(topics)
                .setGroupId(options.getOrDefault("group", "tripline"))
                .setStartingOffsets(from)
                .setDeserializer(new KafkaLines(topics));
        if (options.containsKey("until-end")) {
            source.setBounded(OffsetsInitializer.latest());
        }
        Duration idle = Duration.ofSeconds(Long.parseLong(options.getOrDefault("idle", "60")));
        var batches = new KafkaBatches<>(source.build(), routing);
        return Topology.source(env, batches, routing, watermarks.withIdleness(idle), "kafka");
    }

    private static void sink(DataStream<String> lines, Map<String, String> options, String what) {
        String directory = options.get(what);
        if (directory != null) {
            lines.sinkTo(files(directory)).name(what + " to files").uid("tripline-" + what + "-files");
        }
        String topic = options.get(what + "-topic");
        if (topic != null) {
            boolean once = options.containsKey("exactly-once");
            var sink = KafkaSink.<String>builder()
                    .setBootstrapServers(options.get("kafka"))
                    .setRecordSerializer(KafkaRecordSerializationSchema.builder()
                            .setTopic(topic)
                            .setValueSerializationSchema(new SimpleStringSchema())
                            .build())
                    .setDeliveryGuarantee(once ? DeliveryGuarantee.EXACTLY_ONCE : DeliveryGuarantee.AT_LEAST_ONCE);
            if (once) {
                sink.setTransactionalIdPrefix("tripline-" + what)
                        // Brokers allow a quarter of an hour unless told otherwise.
                        .setProperty("transaction.timeout.ms", "900000");
            }
            lines.sinkTo(sink.build()).name(what + " to Kafka").uid("tripline-" + what + "-kafka");
        }
    }

    static Sink<String> files(String directory) {
        return FileSink.forRowFormat(
                        new org.apache.flink.core.fs.Path(directory), new SimpleStringEncoder<String>("UTF-8"))
                .withRollingPolicy(OnCheckpointRollingPolicy.build())
                .build();
    }
}
