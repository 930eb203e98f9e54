package tripline.flink;

import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.typeinfo.Types;
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
 * source ─► fan ─► by key ─► match ─► alerts
 *            │                 └────► gather (one) ─► alerts
 *            ├─ events for the gatherer ─┘
 *            ├─ where time began, how far it came ─► match, gather
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

    static Topology build(
            StreamExecutionEnvironment env, DataStream<Tuple4<Byte, Long, String, byte[]>> items, Rules rules) {
        boolean gathers;
        try (Task task = rules.open()) {
            // Rules that come later may need it.
            gathers = task.gathers || rules.isWatched();
        }
        SingleOutputStreamOperator<Tuple3<String, Long, byte[]>> events =
                items.transform("fan", Fan.EVENT, new Fan()).uid("tripline-fan");
        DataStream<Tuple2<Byte, Long>> told = events.getSideOutput(Fan.TOLD).broadcast();
        KeySelector<Tuple3<String, Long, byte[]>, String> key = event -> event.f0;
        var keyed = events.keyBy(key, Types.STRING);
        TwoInputTransformation<Tuple3<String, Long, byte[]>, Tuple2<Byte, Long>, String> match =
                new TwoInputTransformation<>(
                        keyed.getTransformation(),
                        told.getTransformation(),
                        "match",
                        Operators.match(rules),
                        Types.STRING,
                        env.getParallelism(),
                        false);
        match.setStateKeySelectors(key, null);
        match.setStateKeyType(Types.STRING);
        match.setUid("tripline-match");
        env.addOperator(match);
        SingleOutputStreamOperator<String> matched = new Stream(env, match);
        DataStream<String> alerts = matched;
        if (gathers) {
            DataStream<Tuple2<Byte, byte[]>> drafts = matched.getSideOutput(Fan.GATHER);
            DataStream<Tuple2<Byte, byte[]>> all = events.getSideOutput(Fan.GATHER).union(drafts);
            SingleOutputStreamOperator<String> gathered = all.global()
                    .connect(told)
                    .transform("gather", Types.STRING, Operators.gather(rules))
                    .setParallelism(1)
                    .setMaxParallelism(1)
                    .uid("tripline-gather");
            alerts = matched.union(gathered);
        }
        return new Topology(alerts, events.getSideOutput(Fan.LATE).union(matched.getSideOutput(Fan.LATE)));
    }

    /** What `match` gives. */
    private static final class Stream extends SingleOutputStreamOperator<String> {
        Stream(StreamExecutionEnvironment env, TwoInputTransformation<?, ?, String> from) {
            super(env, from);
        }
    }
}
