package tripline.flink;

import java.io.PrintWriter;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.Random;
import java.util.Set;
import org.apache.flink.api.common.JobExecutionResult;
import org.apache.flink.api.common.accumulators.LongCounter;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.FlatMapFunction;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.functions.RichMapFunction;
import org.apache.flink.api.common.typeinfo.TypeHint;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple6;
import org.apache.flink.cep.CEP;
import org.apache.flink.cep.functions.PatternProcessFunction;
import org.apache.flink.cep.nfa.aftermatch.AfterMatchSkipStrategy;
import org.apache.flink.cep.pattern.Pattern;
import org.apache.flink.cep.pattern.conditions.IterativeCondition;
import org.apache.flink.cep.pattern.conditions.SimpleCondition;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.file.src.FileSource;
import org.apache.flink.connector.file.src.reader.TextLineInputFormat;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonFactory;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonParser;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonToken;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.util.Collector;

/**
 * The rules of {@code packs.trip} as Flink CEP says them, beside Tripline: {@code events COUNT FILE} writes events for all of
 * them, {@code cep BACKEND FILE [RULE…]} runs one job with an operator for each, parallelism 1. {@link Bench} runs the other
 * side. What they print stands in docs/scale.md.
 *
 * <p>An event is a tuple of time, type, key, a text and two numbers, which is the cheapest form that Flink has; each pattern
 * gets the events of its own types only. Bounds are a millisecond longer, since Flink leaves them out and Tripline does not.
 */
final class PackBench {
    private PackBench() {}

    /** Time, type, key, a text, two numbers. */
    private static final class Is extends SimpleCondition<Tuple6<Long, String, String, String, Double, Double>> {
        private final Set<String> types;

        Is(String... types) {
            this.types = Set.of(types);
        }

        @Override
        public boolean filter(Tuple6<Long, String, String, String, Double, Double> event) {
            return types.contains(event.f1);
        }
    }

    private interface Test extends java.io.Serializable {
        boolean holds(Tuple6<Long, String, String, String, Double, Double> event);
    }

    private static SimpleCondition<Tuple6<Long, String, String, String, Double, Double>> when(Test test) {
        return SimpleCondition.of(test::holds);
    }

    private interface Pair extends java.io.Serializable {
        boolean holds(
                Tuple6<Long, String, String, String, Double, Double> before,
                Tuple6<Long, String, String, String, Double, Double> event);
    }

    /** A condition on the last event of an earlier step. */
    private static IterativeCondition<Tuple6<Long, String, String, String, Double, Double>> after(String step, Pair pair) {
        return new IterativeCondition<>() {
            @Override
            public boolean filter(
                    Tuple6<Long, String, String, String, Double, Double> event,
                    Context<Tuple6<Long, String, String, String, Double, Double>> context)
                    throws Exception {
                Tuple6<Long, String, String, String, Double, Double> last = null;
                for (var bound : context.getEventsForPattern(step)) {
                    last = bound;
                }
                return last != null && pair.holds(last, event);
            }
        };
    }

    /** The text differs from those of all events that the step has. */
    private static IterativeCondition<Tuple6<Long, String, String, String, Double, Double>> distinct(String step, Test test) {
        return new IterativeCondition<>() {
            @Override
            public boolean filter(
                    Tuple6<Long, String, String, String, Double, Double> event,
                    Context<Tuple6<Long, String, String, String, Double, Double>> context)
                    throws Exception {
                if (!test.holds(event)) {
                    return false;
                }
                for (var bound : context.getEventsForPattern(step)) {
                    if (bound.f3.equals(event.f3)) {
                        return false;
                    }
                }
                return true;
            }
        };
    }

    private static Pattern<Tuple6<Long, String, String, String, Double, Double>, Tuple6<Long, String, String, String, Double, Double>>
            first(String step, IterativeCondition<Tuple6<Long, String, String, String, Double, Double>> condition) {
        return Pattern.<Tuple6<Long, String, String, String, Double, Double>>begin(
                        step, AfterMatchSkipStrategy.skipPastLastEvent())
                .where(condition);
    }

    private static Duration closed(long seconds) {
        return Duration.ofSeconds(seconds).plusMillis(1);
    }

    private static final Map<String, List<String>> TYPES = Map.ofEntries(
            Map.entry("rage_clicks", List.of("click")),
            Map.entry("bulk_line_cancelled", List.of("order_line", "order_line_cancelled")),
            Map.entry("instance_not_spawned", List.of("instance_create", "instance_spawned", "instance_error")),
            Map.entry("coupon_shared", List.of("coupon_redeemed")),
            Map.entry("blocked_prompts_then_tool", List.of("prompt", "tool_call")),
            Map.entry("new_device_high_score", List.of("login", "wire_transfer")),
            Map.entry("inference_hangs", List.of("inference_started", "inference_finished")),
            Map.entry("ride_not_accepted", List.of("ride_requested", "ride_accepted", "ride_cancelled")),
            Map.entry("long_way_round", List.of("ride_started", "ride_ended")),
            Map.entry("driver_cancels", List.of("driver_cancelled")),
            Map.entry("brute_force_success", List.of("auth")));

    private static Pattern<Tuple6<Long, String, String, String, Double, Double>, ?> pattern(String rule) {
        return switch (rule) {
            case "rage_clicks" -> first("hit", new Is("click")).times(5).within(closed(2));
            case "bulk_line_cancelled" -> first("buy", when(e -> e.f1.equals("order_line") && e.f4 >= 1000))
                    .followedBy("back")
                    .where(after("buy", (buy, e) ->
                            e.f1.equals("order_line_cancelled") && e.f3.equals(buy.f3) && e.f4 + buy.f4 == 0))
                    .within(closed(900));
            case "instance_not_spawned" -> first("ask", new Is("instance_create"))
                    .notFollowedBy("answer").where(new Is("instance_spawned", "instance_error"))
                    .within(closed(60));
            case "coupon_shared" -> first("use", distinct("use", e -> true)).times(5).within(closed(3600));
            case "blocked_prompts_then_tool" -> first("no_go", when(e -> e.f1.equals("prompt") && e.f3.equals("blocked")))
                    .times(3)
                    .followedBy("call")
                    .where(after("no_go", (last, e) -> e.f1.equals("tool_call") && e.f4 == 1 && e.f0 - last.f0 <= 300_000))
                    .within(closed(900));
            case "new_device_high_score" -> first("new", when(e -> e.f1.equals("login") && e.f4 == 1))
                    .followedBy("move").where(when(e -> e.f1.equals("wire_transfer") && e.f4 > 0.9))
                    .within(closed(3600));
            case "inference_hangs" -> first("ask", new Is("inference_started"))
                    .notFollowedBy("answer").where(new Is("inference_finished"))
                    .within(closed(30));
            case "ride_not_accepted" -> first("ask", new Is("ride_requested"))
                    .notFollowedBy("answer").where(new Is("ride_accepted", "ride_cancelled"))
                    .within(closed(120));
            case "long_way_round" -> first("start", new Is("ride_started"))
                    .followedBy("end")
                    .where(after("start", (start, e) -> {
                        double driven = e.f1.equals("ride_ended") ? Double.parseDouble(e.f3) : 0;
                        return driven >= 1 && driven > 2 * km(start.f4, start.f5, e.f4, e.f5);
                    }))
                    .within(closed(4 * 3600));
            case "driver_cancels" -> first("off", new Is("driver_cancelled")).times(3).within(closed(3600));
            case "brute_force_success" -> first("fail", when(e -> e.f3.equals("failure"))).times(5)
                    .followedBy("ok").where(when(e -> e.f3.equals("success")))
                    .within(closed(600));
            default -> throw new IllegalArgumentException(rule);
        };
    }

    private static double km(double lat, double lon, double toLat, double toLon) {
        double north = Math.sin(Math.toRadians(toLat - lat) / 2);
        double east = Math.sin(Math.toRadians(toLon - lon) / 2);
        double part = north * north + Math.cos(Math.toRadians(lat)) * Math.cos(Math.toRadians(toLat)) * east * east;
        return 2 * 6371.0088 * Math.asin(Math.min(1, Math.sqrt(part)));
    }

    public static void main(String[] arguments) throws Exception {
        if (arguments[0].equals("events")) {
            new Events().write(Integer.parseInt(arguments[1]), Path.of(arguments[2]));
            return;
        }
        List<String> rules = arguments.length > 3
                ? List.of(arguments).subList(3, arguments.length)
                : TYPES.keySet().stream().sorted().toList();
        Configuration configuration = Bench.configuration(arguments[1]);
        StreamExecutionEnvironment env = StreamExecutionEnvironment.createLocalEnvironment(1, configuration);
        env.getConfig().enableObjectReuse();
        FileSource<String> lines = FileSource.forRecordStreamFormat(
                        new TextLineInputFormat(), new org.apache.flink.core.fs.Path(arguments[2]))
                .build();
        SingleOutputStreamOperator<Tuple6<Long, String, String, String, Double, Double>> events = env.fromSource(
                        lines, WatermarkStrategy.noWatermarks(), "lines")
                .flatMap(new Decode())
                .returns(TypeInformation.of(new TypeHint<Tuple6<Long, String, String, String, Double, Double>>() {}))
                .assignTimestampsAndWatermarks(
                        WatermarkStrategy.<Tuple6<Long, String, String, String, Double, Double>>forMonotonousTimestamps()
                                .withTimestampAssigner((event, recorded) -> event.f0));
        boolean none = rules.equals(List.of("none"));
        for (String rule : none ? List.<String>of() : rules) {
            List<String> types = TYPES.get(rule);
            var own = events.filter(event -> types.contains(event.f1)).keyBy(event -> event.f2, Types.STRING);
            CEP.pattern(own, pattern(rule))
                    .inEventTime()
                    .process(new Found())
                    .returns(Types.LONG)
                    .map(new Tally(rule))
                    .returns(Types.LONG)
                    .sinkTo(new DiscardingSink<>());
        }
        if (none) {
            events.sinkTo(new DiscardingSink<>());
        }
        Bench.Checkpoints checkpoints = new Bench.Checkpoints();
        long start = System.nanoTime();
        JobExecutionResult result = env.execute("packs");
        double seconds = (System.nanoTime() - start) / 1e9;
        checkpoints.print();
        var system = (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
        for (String rule : none ? List.<String>of() : rules) {
            System.out.printf(Locale.ROOT, "%s %d%n", rule, result.<Long>getAccumulatorResult(rule));
        }
        System.out.printf(
                Locale.ROOT, "job %.2f s, process CPU %.2f s%n", seconds, system.getProcessCpuTime() / 1e9);
        System.exit(0);
    }

    /** A line of JSON to an event, without building a tree. */
    private static final class Decode
            implements FlatMapFunction<String, Tuple6<Long, String, String, String, Double, Double>> {
        private static final long serialVersionUID = 1L;
        private static final JsonFactory JSON = new JsonFactory();

        @Override
        public void flatMap(String line, Collector<Tuple6<Long, String, String, String, Double, Double>> out)
                throws Exception {
            Tuple6<Long, String, String, String, Double, Double> event = Tuple6.of(0L, "", "", "", 0.0, 0.0);
            try (JsonParser parser = JSON.createParser(line)) {
                parser.nextToken();
                while (parser.nextToken() == JsonToken.FIELD_NAME) {
                    String field = parser.currentName();
                    parser.nextToken();
                    switch (field) {
                        case "ts" -> event.f0 = parser.getLongValue();
                        case "type" -> event.f1 = parser.getText();
                        case "session", "ride", "customer", "instance", "coupon", "user", "account", "request", "driver",
                                "source.ip", "host.name" -> {
                            if (field.equals("customer") && event.f1.equals("coupon_redeemed")) {
                                event.f3 = parser.getText();
                            } else if (!field.equals("ride") || !event.f1.equals("driver_cancelled")) {
                                event.f2 = parser.getText();
                            }
                        }
                        case "target", "user.name" -> event.f2 = event.f2 + "\0" + parser.getText();
                        case "sku", "verdict", "driven_km", "event.outcome", "destination.ip" -> event.f3 = parser.getText();
                        case "quantity", "score", "lat", "destination.port" -> event.f4 = parser.getDoubleValue();
                        case "new_device", "sensitive" -> event.f4 = parser.getBooleanValue() ? 1.0 : 0.0;
                        case "lon" -> event.f5 = parser.getDoubleValue();
                        default -> parser.skipChildren();
                    }
                }
            }
            out.collect(event);
        }
    }

    private static final class Found
            extends PatternProcessFunction<Tuple6<Long, String, String, String, Double, Double>, Long> {
        private static final long serialVersionUID = 1L;

        @Override
        public void processMatch(
                Map<String, List<Tuple6<Long, String, String, String, Double, Double>>> match,
                Context context,
                Collector<Long> out) {
            out.collect(1L);
        }
    }

    /** Counts matches; a CEP function itself has no accumulators. */
    private static final class Tally extends RichMapFunction<Long, Long> {
        private static final long serialVersionUID = 1L;

        private final String name;
        private final LongCounter matches = new LongCounter();

        Tally(String name) {
            this.name = name;
        }

        @Override
        public void open(OpenContext context) {
            getRuntimeContext().addAccumulator(name, matches);
        }

        @Override
        public Long map(Long match) {
            matches.add(1L);
            return match;
        }
    }

    /** Events for all of the rules, in order of time, some ten milliseconds apart; the same in every run. */
    private static final class Events {
        private record Later(long at, long order, String text) {}

        private final Random random = new Random(7);
        private final PriorityQueue<Later> later = new PriorityQueue<>(
                java.util.Comparator.comparingLong(Later::at).thenComparingLong(Later::order));
        private long at = 1_700_000_000_000L;
        private long order;
        private PrintWriter out;

        void write(int count, Path file) throws Exception {
            try (PrintWriter writer = new PrintWriter(Files.newBufferedWriter(file))) {
                out = writer;
                for (int n = 0; n < count; n++) {
                    at += 2 * random.nextInt(11);
                    while (!later.isEmpty() && later.peek().at <= at && n + 1 < count) {
                        Later due = later.poll();
                        say(due.at, due.text);
                        n++;
                    }
                    // Everything that is asked in the end is answered or missed before it.
                    one(n, n < count - 60_000);
                }
            }
        }

        private void say(long time, String text) {
            out.println("{\"ts\":" + time + "," + text + "}");
        }

        private void then(long afterMs, String text) {
            later.add(new Later(at + afterMs / 2 * 2, order++, text));
        }

        private static String type(String type, String rest) {
            return "\"type\":\"" + type + "\"," + rest;
        }

        private int below(int n) {
            return random.nextInt(n);
        }

        private void one(int n, boolean asks) {
            int kind = below(100);
            if (!asks && kind < 26) {
                kind = 26 + below(74);
            }
            if (kind < 8) {
                String ride = "\"ride\":\"r" + n + "\"";
                double lat = 48 + random.nextDouble(), lon = 11 + random.nextDouble();
                say(at, type("ride_requested", ride));
                if (below(100) < 97) {
                    then(2000 + below(110_000), type(below(10) == 0 ? "ride_cancelled" : "ride_accepted", ride));
                }
                String place = String.format(Locale.ROOT, ",\"lat\":%.4f,\"lon\":%.4f", lat, lon);
                then(130_000, type("ride_started", ride + place));
                double toLat = lat + 0.01 + random.nextDouble() / 20;
                double driven = (toLat - lat) * 111.2 * (below(100) < 4 ? 2.5 : 1.3);
                then(300_000 + below(900_000), type("ride_ended", ride + String.format(
                        Locale.ROOT, ",\"driven_km\":%.2f,\"lat\":%.4f,\"lon\":%.4f", driven, toLat, lon)));
            } else if (kind < 20) {
                String request = "\"request\":\"q" + n + "\"";
                say(at, type("inference_started", request));
                if (below(100) < 98) {
                    then(100 + below(28_000), type("inference_finished", request));
                }
            } else if (kind < 26) {
                String instance = "\"instance\":\"i" + n + "\"";
                say(at, type("instance_create", instance));
                if (below(100) < 96) {
                    then(1000 + below(55_000), type(below(20) == 0 ? "instance_error" : "instance_spawned", instance));
                }
            } else if (kind < 38) {
                String click = "\"session\":\"s" + below(2000) + "\",\"target\":\"t" + below(5) + "\"";
                say(at, type("click", click));
                if (below(100) < 2) {
                    for (int more = 0; more < 5; more++) {
                        then(100 + below(2500), type("click", click));
                    }
                }
            } else if (kind < 43) {
                String customer = "\"customer\":\"c" + below(3000) + "\",\"sku\":\"k" + below(40) + "\"";
                int quantity = 1 + below(1300);
                say(at, type("order_line", customer + ",\"quantity\":" + quantity));
                if (below(100) < 10) {
                    then(1000 + below(1_000_000), type("order_line_cancelled", customer + ",\"quantity\":-" + quantity));
                }
            } else if (kind < 48) {
                String coupon = "\"coupon\":\"p" + below(100_000) + "\",\"customer\":\"c";
                int customer = below(3000);
                say(at, type("coupon_redeemed", coupon + customer + "\""));
                for (int more = 1; more < 5 && n % 50 == 0; more++) {
                    then(100_000 + below(2_000_000), type("coupon_redeemed", coupon + (customer + more) + "\""));
                }
            } else if (kind < 56) {
                String verdict = below(100) < 20 ? "blocked" : "fine";
                say(at, type("prompt", "\"user\":\"u" + below(2000) + "\",\"verdict\":\"" + verdict + "\""));
            } else if (kind < 60) {
                say(at, type("tool_call", "\"user\":\"u" + below(2000) + "\",\"sensitive\":" + (below(10) < 3)));
            } else if (kind < 67) {
                say(at, type("login", "\"account\":\"a" + below(5000) + "\",\"new_device\":" + (below(10) < 2)));
            } else if (kind < 72) {
                String score = String.format(Locale.ROOT, "%.3f", random.nextDouble());
                say(at, type("wire_transfer", "\"account\":\"a" + below(5000) + "\",\"score\":" + score));
            } else if (kind < 75) {
                String driver = "\"driver\":\"d" + below(100_000) + "\",\"ride\":\"r";
                say(at, type("driver_cancelled", driver + n + "\""));
                for (int more = 1; more < 3 && n % 50 == 0; more++) {
                    then(100_000 + below(2_000_000), type("driver_cancelled", driver + n + "-" + more + "\""));
                }
            } else if (kind < 88) {
                String outcome = below(100) < 75 ? "failure" : "success";
                say(at, type("auth", "\"source.ip\":\"10.0." + below(20) + "." + below(25) + "\",\"user.name\":\"u" + below(4)
                        + "\",\"event.outcome\":\"" + outcome + "\""));
            } else {
                int port = below(10) < 3 ? 3389 : 443;
                say(at, type("connection", "\"host.name\":\"h" + below(500) + "\",\"destination.ip\":\"10.1.0." + below(50)
                        + "\",\"destination.port\":" + port));
            }
        }
    }
}
