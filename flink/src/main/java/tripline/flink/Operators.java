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
    private final Kind kind;

    private Operators(Rules rules, Kind kind) {
        this.rules = rules;
        this.kind = kind;
    }

    private enum Kind {
        MATCH,
        UPPER,
        GATHER
    }

    static Operators<Tuple3<String, Long, byte[]>> match(Rules rules) {
        return new Operators<>(rules, Kind.MATCH);
    }

    static Operators<Tuple3<String, Long, byte[]>> upper(Rules rules) {
        return new Operators<>(rules, Kind.UPPER);
    }

    static Operators<Tuple2<Byte, byte[]>> gather(Rules rules) {
        return new Operators<>(rules, Kind.GATHER);
    }

    @Override
    @SuppressWarnings("unchecked")
    public <O extends StreamOperator<String>> O createStreamOperator(StreamOperatorParameters<String> parameters) {
        return (O) switch (kind) {
            case MATCH -> new MatchOperator(parameters, rules, false);
            case UPPER -> new MatchOperator(parameters, rules, true);
            case GATHER -> new GatherOperator(parameters, rules);
        };
    }

    @Override
    @SuppressWarnings("rawtypes")
    public Class<? extends StreamOperator> getStreamOperatorClass(ClassLoader loader) {
        return kind == Kind.GATHER ? GatherOperator.class : MatchOperator.class;
    }
}
