package tripline.flink;

import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.api.java.tuple.Tuple3;
import org.apache.flink.streaming.api.operators.AbstractStreamOperatorFactory;
import org.apache.flink.streaming.api.operators.StreamOperator;
import org.apache.flink.streaming.api.operators.StreamOperatorParameters;
import org.apache.flink.streaming.api.operators.TwoInputStreamOperatorFactory;

/** Makes the operators where they run. */
final class Operators<T> extends AbstractStreamOperatorFactory<String>
        implements TwoInputStreamOperatorFactory<T, Tuple2<Byte, Long>, String> {
    private static final long serialVersionUID = 1L;

    private final Rules rules;
    private final boolean matches;

    private Operators(Rules rules, boolean matches) {
        this.rules = rules;
        this.matches = matches;
    }

    static Operators<Tuple3<String, Long, byte[]>> match(Rules rules) {
        return new Operators<>(rules, true);
    }

    static Operators<Tuple2<Byte, byte[]>> gather(Rules rules) {
        return new Operators<>(rules, false);
    }

    @Override
    @SuppressWarnings("unchecked")
    public <O extends StreamOperator<String>> O createStreamOperator(StreamOperatorParameters<String> parameters) {
        return (O) (matches ? new MatchOperator(parameters, rules) : new GatherOperator(parameters, rules));
    }

    @Override
    @SuppressWarnings("rawtypes")
    public Class<? extends StreamOperator> getStreamOperatorClass(ClassLoader loader) {
        return matches ? MatchOperator.class : GatherOperator.class;
    }
}
