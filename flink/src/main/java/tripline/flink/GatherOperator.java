package tripline.flink;

import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.nio.ByteBuffer;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.api.java.tuple.Tuple3;
import org.apache.flink.runtime.state.StateInitializationContext;
import org.apache.flink.runtime.state.StateSnapshotContext;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.StreamOperatorParameters;
import org.apache.flink.streaming.api.operators.TwoInputStreamOperator;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;

/**
 * The stage behind all keys: alerts that are open or said again, rules on alerts that ask for the order of all, suppression by
 * values of the alert.
 *
 * <p>There is one of it. Its state is in memory and is saved whole at each checkpoint.
 */
final class GatherOperator extends AbstractStreamOperator<String>
        implements TwoInputStreamOperator<Tuple2<Byte, byte[]>, Tuple3<Byte, Long, byte[]>, String> {
    private static final long serialVersionUID = 1L;

    private static final int BYTES = 256 << 10;

    private final Rules rules;
    private transient Task task;
    private transient Told told;
    private transient ListState<byte[]> kept;
    private transient ByteArrayOutputStream call;

    GatherOperator(StreamOperatorParameters<String> parameters, Rules rules) {
        super(parameters);
        this.rules = rules;
    }

    @Override
    public void initializeState(StateInitializationContext context) throws Exception {
        super.initializeState(context);
        call = new ByteArrayOutputStream();
        told = new Told(rules);
        told.restore(context.getOperatorStateStore());
        task = told.open();
        kept = context.getOperatorStateStore()
                .getListState(new ListStateDescriptor<>(
                        "gatherer", PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO));
        for (byte[] state : kept.get()) {
            task.restore(state);
        }
    }

    @Override
    public void snapshotState(StateSnapshotContext context) throws Exception {
        super.snapshotState(context);
        hand();
        told.save();
        kept.clear();
        kept.add(task.save());
    }

    @Override
    public void processElement1(StreamRecord<Tuple2<Byte, byte[]>> record) throws Exception {
        DataOutputStream out = new DataOutputStream(call);
        out.writeByte(record.getValue().f0);
        out.writeInt(record.getValue().f1.length);
        out.write(record.getValue().f1);
        if (call.size() >= BYTES) {
            hand();
        }
    }

    @Override
    public void processElement2(StreamRecord<Tuple3<Byte, Long, byte[]>> record) {
        told.tell(record.getValue());
    }

    private void hand() {
        if (call.size() > 0) {
            task.gather(call.toByteArray());
            call.reset();
        }
    }

    @Override
    public void processWatermark(Watermark mark) throws Exception {
        hand();
        Task next = told.next(task);
        if (next != null) {
            next.restore(task.save());
            task.close();
            task = next;
        }
        long watermark = mark.getTimestamp();
        told.come(watermark);
        long newest = watermark == Long.MAX_VALUE ? told.end() : Task.NEVER_YET;
        if (watermark != Long.MAX_VALUE || newest != Task.NEVER_YET) {
            ByteBuffer alerts = task.advance(told.start(), watermark, newest);
            while (alerts.hasRemaining()) {
                output.collect(new StreamRecord<>(Task.text(alerts)));
            }
        }
        super.processWatermark(mark);
    }

    @Override
    public void close() throws Exception {
        super.close();
        if (task != null) {
            task.close();
        }
    }
}
