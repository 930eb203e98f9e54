package tripline.flink;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.flink.api.connector.source.Boundedness;
import org.apache.flink.api.connector.source.Source;
import org.apache.flink.api.connector.source.SourceReader;
import org.apache.flink.api.connector.source.SourceReaderContext;
import org.apache.flink.api.connector.source.SplitEnumerator;
import org.apache.flink.api.connector.source.SplitEnumeratorContext;
import org.apache.flink.api.connector.source.SplitsAssignment;
import org.apache.flink.api.java.tuple.Tuple4;
import org.apache.flink.core.io.SimpleVersionedSerializer;

/**
 * Files of lines, read from front to back and in turn, each by one reader: so every event has the position that it has in a
 * single process, and no file's time runs away from the others'.
 */
final class FileSource implements Source<Tuple4<Byte, Long, String, byte[]>, FileSplit, List<FileSplit>> {
    private static final long serialVersionUID = 1L;

    private final Routing routing;
    private final String[] paths;

    /** Waits so long before each block, and makes them small: for tests that want to do something meanwhile. */
    private final long pauseMs;

    FileSource(Routing routing, List<String> paths, long pauseMs) {
        this.routing = routing;
        this.paths = paths.toArray(new String[0]);
        this.pauseMs = pauseMs;
    }

    @Override
    public Boundedness getBoundedness() {
        return Boundedness.BOUNDED;
    }

    @Override
    public SourceReader<Tuple4<Byte, Long, String, byte[]>, FileSplit> createReader(SourceReaderContext context) {
        return new FileReader(context, routing, pauseMs);
    }

    @Override
    public SplitEnumerator<FileSplit, List<FileSplit>> createEnumerator(SplitEnumeratorContext<FileSplit> context) {
        List<FileSplit> splits = new ArrayList<>();
        for (int input = 0; input < paths.length; input++) {
            splits.add(new FileSplit(paths[input], input, 0, 1, Long.MIN_VALUE));
        }
        return new Enumerator(context, splits);
    }

    @Override
    public SplitEnumerator<FileSplit, List<FileSplit>> restoreEnumerator(
            SplitEnumeratorContext<FileSplit> context, List<FileSplit> splits) {
        return new Enumerator(context, splits);
    }

    @Override
    public SimpleVersionedSerializer<FileSplit> getSplitSerializer() {
        return new FileSplit.Serializer();
    }

    @Override
    public SimpleVersionedSerializer<List<FileSplit>> getEnumeratorCheckpointSerializer() {
        return new SplitsSerializer();
    }

    /** Gives each file to the reader whose turn it is by number. */
    private static final class Enumerator implements SplitEnumerator<FileSplit, List<FileSplit>> {
        private final SplitEnumeratorContext<FileSplit> context;
        private final Map<String, FileSplit> open = new TreeMap<>();

        Enumerator(SplitEnumeratorContext<FileSplit> context, List<FileSplit> splits) {
            this.context = context;
            splits.forEach(split -> open.put(split.splitId(), split));
        }

        @Override
        public void start() {}

        @Override
        public void handleSplitRequest(int subtask, String host) {}

        @Override
        public void addSplitsBack(List<FileSplit> splits, int subtask) {
            splits.forEach(split -> open.put(split.splitId(), split));
        }

        @Override
        public void addReader(int subtask) {
            List<FileSplit> own = open.values().stream()
                    .filter(split -> split.input % context.currentParallelism() == subtask)
                    .toList();
            if (!own.isEmpty()) {
                // All in one: time must not go on in one file before the reader knows of the others.
                context.assignSplits(new SplitsAssignment<>(Map.of(subtask, own)));
                own.forEach(split -> open.remove(split.splitId()));
            }
            context.signalNoMoreSplits(subtask);
        }

        @Override
        public List<FileSplit> snapshotState(long checkpoint) {
            return new ArrayList<>(open.values());
        }

        @Override
        public void close() {}
    }

    private static final class SplitsSerializer implements SimpleVersionedSerializer<List<FileSplit>> {
        private final FileSplit.Serializer each = new FileSplit.Serializer();

        @Override
        public int getVersion() {
            return each.getVersion();
        }

        @Override
        public byte[] serialize(List<FileSplit> splits) throws IOException {
            ByteArrayOutputStream bytes = new ByteArrayOutputStream();
            DataOutputStream out = new DataOutputStream(bytes);
            out.writeInt(splits.size());
            for (FileSplit split : splits) {
                byte[] one = each.serialize(split);
                out.writeInt(one.length);
                out.write(one);
            }
            return bytes.toByteArray();
        }

        @Override
        public List<FileSplit> deserialize(int version, byte[] bytes) throws IOException {
            DataInputStream in = new DataInputStream(new ByteArrayInputStream(bytes));
            List<FileSplit> splits = new ArrayList<>();
            for (int n = in.readInt(); n > 0; n--) {
                splits.add(each.deserialize(version, in.readNBytes(in.readInt())));
            }
            return splits;
        }
    }
}
