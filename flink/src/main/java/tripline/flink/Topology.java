package tripline.flink;

import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.connector.source.Source;
import org.apache.flink.api.connector.source.SourceSplit;
import org.apache.flink.api.java.functions.KeySelector;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.api.java.tuple.Tuple3;
import org.apache.flink.api.java.tuple.Tuple4;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.transformations.TwoInputTransformation;

/**
 * The graph of the job.
 *
 * <pre>
 * source ─► fan ─► by key ─► match ─┬─► alerts
 *            │                         ├─► by key ─► upper ─► alerts
 *            ├─ events beside alerts ──┤
 *            │                         └─► gather (one) ─► alerts
 *            ├─ events for the gatherer ──────┘
 *            ├─ which rules, where time began, how far it came ─► match, upper, gather
 *            └─ late lines
 * </pre>
 */
final class Topology {
    /** Every alert, a line each. */
    final DataStream<String> alerts;

    /** Lines that came too late. */
    final DataStream<String> late;

    private Topology(DataStream<String> alerts, DataStream<String> late) {
        this.alerts = alerts;
        this.late = late;
    }

    static WatermarkStrategy<Tuple4<Byte, Long, String, byte[]>> watermarks(Rules rules) {
        try (Task task = rules.open()) {
            return Lateness.strategy(task.latenessMs);
        }
    }

    /** The source, with the rules that it routes by. */
    static <S extends SourceSplit, E> DataStream<Tuple4<Byte, Long, String, byte[]>> source(
            StreamExecutionEnvironment env,
            Source<Tuple4<Byte, Long, String, byte[]>, S, E> source,
            Routing routing,
            WatermarkStrategy<Tuple4<Byte, Long, String, byte[]>> watermarks,
            String name) {
        if (routing.rules.mayChange()) {
            return env.fromSource(new RuledSource<>(source, routing), watermarks, name, Item.TYPE).uid("tripline-source");
        }
        return env.fromSource(source, watermarks, name, Item.TYPE).uid("tripline-source");
    }

    static Topology build(
            StreamExecutionEnvironment env, DataStream<Tuple4<Byte, Long, String, byte[]>> items, Rules rules, Bounds bounds) {
        boolean gathers;
        boolean hasUpper;
        try (Task task = rules.open()) {
            // Rules that come later may need it.
            gathers = task.gathers || rules.mayChange();
            hasUpper = task.hasUpper || rules.mayChange();
        }
        SingleOutputStreamOperator<Tuple3<String, Integer, byte[]>> events =
                items.transform("fan", Fan.BLOCK, new Fan()).uid("tripline-fan");
        DataStream<Tuple3<Byte, Long, byte[]>> told = events.getSideOutput(Fan.TOLD).broadcast();
        SingleOutputStreamOperator<String> matched = keyed(env, events, told, "match", Operators.match(rules, bounds));
        DataStream<String> alerts = matched;
        DataStream<String> late = events.getSideOutput(Fan.LATE).union(matched.getSideOutput(Fan.LATE));
        if (hasUpper) {
            DataStream<Tuple3<String, Integer, byte[]>> above =
                    events.getSideOutput(Fan.UPPER).union(matched.getSideOutput(Fan.UPPER));
            SingleOutputStreamOperator<String> upper = keyed(env, above, told, "upper", Operators.upper(rules, bounds));
            alerts = alerts.union(upper);
            late = late.union(upper.getSideOutput(Fan.LATE));
        }
        if (gathers) {
            DataStream<Tuple2<Byte, byte[]>> drafts = matched.getSideOutput(Fan.GATHER);
            DataStream<Tuple2<Byte, byte[]>> all = events.getSideOutput(Fan.GATHER).union(drafts);
            SingleOutputStreamOperator<String> gathered = all.global()
                    .connect(told)
                    .transform("gather", Types.STRING, Operators.gather(rules))
                    .setParallelism(1)
                    .setMaxParallelism(1)
                    .uid("tripline-gather");
            alerts = alerts.union(gathered);
        }
        return new Topology(alerts, late);
    }

    private static SingleOutputStreamOperator<String> keyed(
            StreamExecutionEnvironment env,
            DataStream<Tuple3<String, Integer, byte[]>> events,
            DataStream<Tuple3<Byte, Long, byte[]>> told,
            String name,
            Operators<Tuple3<String, Integer, byte[]>> operator) {
        KeySelector<Tuple3<String, Integer, byte[]>, String> key = event -> event.f0;
        TwoInputTransformation<Tuple3<String, Integer, byte[]>, Tuple3<Byte, Long, byte[]>, String> stage =
                new TwoInputTransformation<>(
                        events.keyBy(key, Types.STRING).getTransformation(),
                        told.getTransformation(),
                        name,
                        operator,
                        Types.STRING,
                        env.getParallelism(),
                        false);
        stage.setStateKeySelectors(key, null);
        stage.setStateKeyType(Types.STRING);
        stage.setUid("tripline-" + name);
        env.addOperator(stage);
        return new Stream(env, stage);
    }

    /** What a keyed stage gives. */
    private static final class Stream extends SingleOutputStreamOperator<String> {
        Stream(StreamExecutionEnvironment env, TwoInputTransformation<?, ?, String> from) {
            super(env, from);
        }
    }
}
