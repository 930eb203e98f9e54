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

    private final byte[] bundle;
    private final boolean matches;

    private Operators(byte[] bundle, boolean matches) {
        this.bundle = bundle;
        this.matches = matches;
    }

    static Operators<Tuple3<String, Long, byte[]>> match(byte[] bundle) {
        return new Operators<>(bundle, true);
    }

    static Operators<Tuple2<Byte, byte[]>> gather(byte[] bundle) {
        return new Operators<>(bundle, false);
    }

    @Override
    @SuppressWarnings("unchecked")
    public <O extends StreamOperator<String>> O createStreamOperator(StreamOperatorParameters<String> parameters) {
        return (O) (matches ? new MatchOperator(parameters, bundle) : new GatherOperator(parameters, bundle));
    }

    @Override
    @SuppressWarnings("rawtypes")
    public Class<? extends StreamOperator> getStreamOperatorClass(ClassLoader loader) {
        return matches ? MatchOperator.class : GatherOperator.class;
    }
}
