package tripline.flink;

import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.api.java.tuple.Tuple3;
import org.apache.flink.streaming.api.operators.AbstractStreamOperatorFactory;
import org.apache.flink.streaming.api.operators.StreamOperator;
import org.apache.flink.streaming.api.operators.StreamOperatorParameters;
import org.apache.flink.streaming.api.operators.TwoInputStreamOperatorFactory;

/** Makes the operators where they run. */
final class Operators<T> extends AbstractStreamOperatorFactory<String>
        implements TwoInputStreamOperatorFactory<T, Tuple3<Byte, Long, byte[]>, String> {
    private static final long serialVersionUID = 1L;

    private final Rules rules;
    private final Bounds bounds;
    private final Kind kind;

    private Operators(Rules rules, Bounds bounds, Kind kind) {
        this.rules = rules;
        this.bounds = bounds;
        this.kind = kind;
    }

    private enum Kind {
        MATCH,
        UPPER,
        GATHER
    }

    static Operators<Tuple3<String, Integer, byte[]>> match(Rules rules, Bounds bounds) {
        return new Operators<>(rules, bounds, Kind.MATCH);
    }

    static Operators<Tuple3<String, Integer, byte[]>> upper(Rules rules, Bounds bounds) {
        return new Operators<>(rules, bounds, Kind.UPPER);
    }

    static Operators<Tuple2<Byte, byte[]>> gather(Rules rules) {
        return new Operators<>(rules, Bounds.DEFAULT, Kind.GATHER);
    }

    @Override
    @SuppressWarnings("unchecked")
    public <O extends StreamOperator<String>> O createStreamOperator(StreamOperatorParameters<String> parameters) {
        return (O) switch (kind) {
            case MATCH -> new MatchOperator(parameters, rules, bounds, false);
            case UPPER -> new MatchOperator(parameters, rules, bounds, true);
            case GATHER -> new GatherOperator(parameters, rules);
        };
    }

    @Override
    @SuppressWarnings("rawtypes")
    public Class<? extends StreamOperator> getStreamOperatorClass(ClassLoader loader) {
        return kind == Kind.GATHER ? GatherOperator.class : MatchOperator.class;
    }
}
