package tripline.flink;

import java.io.ByteArrayOutputStream;
import java.util.HashMap;
import java.util.Map;
import org.apache.flink.api.common.eventtime.Watermark;
import org.apache.flink.api.connector.source.Boundedness;
import org.apache.flink.api.connector.source.ReaderOutput;
import org.apache.flink.api.connector.source.Source;
import org.apache.flink.api.connector.source.SourceOutput;
import org.apache.flink.api.connector.source.SourceReader;
import org.apache.flink.api.connector.source.SourceReaderContext;
import org.apache.flink.api.connector.source.SourceSplit;
import org.apache.flink.api.connector.source.SplitEnumerator;
import org.apache.flink.api.connector.source.SplitEnumeratorContext;
import org.apache.flink.api.java.tuple.Tuple4;
import org.apache.flink.core.io.InputStatus;
import org.apache.flink.core.io.SimpleVersionedSerializer;

/**
 * Records of Kafka, routed many at a time.
 *
 * <p>The connector hands on one record a call, as {@link KafkaLines} gives it. Here one call of Flink's is as many of the
 * connector's as there are records ready, up to a bound, and records of a partition whose offsets follow each other are
 * routed as one block of lines. All that a call takes is routed in it: when a checkpoint is made nothing is held here, and
 * the offsets in it are those of records whose events were sent before.
 */
final class KafkaBatches<S extends SourceSplit, E> implements Source<Tuple4<Byte, Long, String, byte[]>, S, E> {
    private static final long serialVersionUID = 1L;

    /** Records, and bytes of them, that are taken in one call of Flink's, about. */
    private static final int RECORDS = 2000;

    private static final int BYTES = 128 << 10;

    private final Source<Tuple4<Byte, Long, String, byte[]>, S, E> source;
    private final Routing routing;

    KafkaBatches(Source<Tuple4<Byte, Long, String, byte[]>, S, E> source, Routing routing) {
        this.source = source;
        this.routing = routing;
    }

    @Override
    public Boundedness getBoundedness() {
        return source.getBoundedness();
    }

    @Override
    public SourceReader<Tuple4<Byte, Long, String, byte[]>, S> createReader(SourceReaderContext context) throws Exception {
        Item.Counts counts = new Item.Counts();
        Metrics.input(context.metricGroup(), counts);
        return new Reader<>(source.createReader(context), routing, counts);
    }

    @Override
    public SplitEnumerator<S, E> createEnumerator(SplitEnumeratorContext<S> context) throws Exception {
        return source.createEnumerator(context);
    }

    @Override
    public SplitEnumerator<S, E> restoreEnumerator(SplitEnumeratorContext<S> context, E kept) throws Exception {
        return source.restoreEnumerator(context, kept);
    }

    @Override
    public SimpleVersionedSerializer<S> getSplitSerializer() {
        return source.getSplitSerializer();
    }

    @Override
    public SimpleVersionedSerializer<E> getEnumeratorCheckpointSerializer() {
        return source.getEnumeratorCheckpointSerializer();
    }

    private static final class Reader<S extends SourceSplit> extends RelayReader<Tuple4<Byte, Long, String, byte[]>, S> {
        private final Item.Counts counts;
        private Partitions partitions;

        Reader(SourceReader<Tuple4<Byte, Long, String, byte[]>, S> source, Routing routing, Item.Counts counts) {
            super(source, routing);
            this.counts = counts;
        }

        @Override
        public InputStatus pollNext(ReaderOutput<Tuple4<Byte, Long, String, byte[]>> output) throws Exception {
            if (partitions == null || partitions.output != output) {
                partitions = new Partitions(output, routing, counts);
            }
            partitions.bytes = 0;
            InputStatus status = InputStatus.MORE_AVAILABLE;
            for (int n = 0; n < RECORDS && partitions.bytes < BYTES && status == InputStatus.MORE_AVAILABLE; n++) {
                status = source.pollNext(partitions);
            }
            partitions.route();
            return status;
        }
    }

    /** An output that stands before another: what is said of time and idleness is handed on. */
    private abstract static class Relay<O extends SourceOutput<Tuple4<Byte, Long, String, byte[]>>>
            implements SourceOutput<Tuple4<Byte, Long, String, byte[]>> {
        final O output;

        Relay(O output) {
            this.output = output;
        }

        @Override
        public void emitWatermark(Watermark watermark) {
            output.emitWatermark(watermark);
        }

        @Override
        public void markIdle() {
            output.markIdle();
        }

        @Override
        public void markActive() {
            output.markActive();
        }
    }

    /** Where the connector's records go: each partition has an output of its own, as it has in Flink. */
    private static final class Partitions extends Relay<ReaderOutput<Tuple4<Byte, Long, String, byte[]>>>
            implements ReaderOutput<Tuple4<Byte, Long, String, byte[]>> {
        private final Routing routing;
        private final Item.Counts counts;
        private final Map<String, Partition> partitions = new HashMap<>();

        /** Bytes of records that came in this call. */
        int bytes;

        Partitions(ReaderOutput<Tuple4<Byte, Long, String, byte[]>> output, Routing routing, Item.Counts counts) {
            super(output);
            this.routing = routing;
            this.counts = counts;
        }

        void route() {
            partitions.values().forEach(Partition::route);
        }

        @Override
        public SourceOutput<Tuple4<Byte, Long, String, byte[]>> createOutputForSplit(String split) {
            return partitions.computeIfAbsent(split, id -> new Partition(output.createOutputForSplit(id), this));
        }

        @Override
        public void releaseOutputForSplit(String split) {
            Partition over = partitions.remove(split);
            if (over != null) {
                over.route();
            }
            output.releaseOutputForSplit(split);
        }

        @Override
        public void collect(Tuple4<Byte, Long, String, byte[]> item) {
            output.collect(item);
        }

        @Override
        public void collect(Tuple4<Byte, Long, String, byte[]> item, long timestamp) {
            output.collect(item, timestamp);
        }
    }

    /** Records of one partition on their way to being routed. */
    private static final class Partition extends Relay<SourceOutput<Tuple4<Byte, Long, String, byte[]>>> {
        private final Partitions all;
        private final ByteArrayOutputStream lines = new ByteArrayOutputStream();

        /** The position of the first of the lines, and that of the next that may stand behind them. */
        private long first;

        private long next;
        private long newest = Task.NEVER_YET;

        Partition(SourceOutput<Tuple4<Byte, Long, String, byte[]>> output, Partitions all) {
            super(output);
            this.all = all;
        }

        @Override
        public void collect(Tuple4<Byte, Long, String, byte[]> record) {
            byte[] line = record.f3;
            boolean isOneLine = isOneLine(line);
            if (record.f1 != next || !isOneLine) {
                route();
            }
            if (lines.size() == 0) {
                first = record.f1;
            }
            next = record.f1 + 1;
            lines.writeBytes(line);
            lines.write('\n');
            all.bytes += line.length;
            if (!isOneLine) {
                route();
            }
        }

        /** If not, those behind it would get other positions than their own. */
        private static boolean isOneLine(byte[] line) {
            for (byte b : line) {
                if (b == '\n') {
                    return false;
                }
            }
            return true;
        }

        @Override
        public void collect(Tuple4<Byte, Long, String, byte[]> record, long timestamp) {
            collect(record);
        }

        void route() {
            if (lines.size() == 0) {
                return;
            }
            byte[] block = lines.toByteArray();
            lines.reset();
            Task task = all.routing.task();
            long now = System.currentTimeMillis();
            var answer = task.route(KafkaLines.input(first), KafkaLines.line(first), now, newest, block);
            newest = Item.give(answer, newest, all.counts, output::collect);
        }
    }
}
