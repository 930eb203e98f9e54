package tripline.flink;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.zip.GZIPInputStream;
import java.util.zip.GZIPOutputStream;
import org.apache.flink.api.connector.source.Boundedness;
import org.apache.flink.api.connector.source.ReaderOutput;
import org.apache.flink.api.connector.source.Source;
import org.apache.flink.api.connector.source.SourceEvent;
import org.apache.flink.api.connector.source.SourceReader;
import org.apache.flink.api.connector.source.SourceReaderContext;
import org.apache.flink.api.connector.source.SourceSplit;
import org.apache.flink.api.connector.source.SplitEnumerator;
import org.apache.flink.api.connector.source.SplitEnumeratorContext;
import org.apache.flink.api.java.tuple.Tuple4;
import org.apache.flink.core.io.InputStatus;
import org.apache.flink.core.io.SimpleVersionedSerializer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A source whose rules may change: its coordinator asks for new ones, numbers them, and tells all readers; each routes by
 * them from then on, and hands them on into the job, where they come to every task before any event that was routed so.
 *
 * <p>The rules in use and their number are part of the coordinator's checkpoints. A reader reads nothing before it was told.
 */
final class RuledSource<S extends SourceSplit, E> implements Source<Tuple4<Byte, Long, String, byte[]>, S, RuledSource.Kept<E>> {
    private static final long serialVersionUID = 1L;
    private static final Logger LOG = LoggerFactory.getLogger(RuledSource.class);

    private final Source<Tuple4<Byte, Long, String, byte[]>, S, E> source;
    private final Routing routing;

    RuledSource(Source<Tuple4<Byte, Long, String, byte[]>, S, E> source, Routing routing) {
        this.source = source;
        this.routing = routing;
    }

    /** What a checkpoint keeps. Without rules it was kept by a source that had none to change. */
    record Kept<E>(E source, long version, byte[] rules) {}

    /** New rules, compressed. */
    record Told(long version, byte[] rules) implements SourceEvent {}

    @Override
    public Boundedness getBoundedness() {
        return source.getBoundedness();
    }

    @Override
    public SourceReader<Tuple4<Byte, Long, String, byte[]>, S> createReader(SourceReaderContext context) throws Exception {
        return new Reader<>(source.createReader(context), routing);
    }

    @Override
    public SplitEnumerator<S, Kept<E>> createEnumerator(SplitEnumeratorContext<S> context) throws Exception {
        return new Coordinator<>(source.createEnumerator(context), context, routing.rules, 1, routing.rules.bundle());
    }

    @Override
    public SplitEnumerator<S, Kept<E>> restoreEnumerator(SplitEnumeratorContext<S> context, Kept<E> kept) throws Exception {
        var restored = source.restoreEnumerator(context, kept.source);
        byte[] rules = kept.rules == null ? routing.rules.bundle() : kept.rules;
        return new Coordinator<>(restored, context, routing.rules, Math.max(kept.version, 1), rules);
    }

    @Override
    public SimpleVersionedSerializer<S> getSplitSerializer() {
        return source.getSplitSerializer();
    }

    @Override
    public SimpleVersionedSerializer<Kept<E>> getEnumeratorCheckpointSerializer() {
        return new Serializer<>(source.getEnumeratorCheckpointSerializer());
    }

    private static byte[] packed(byte[] bytes) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (GZIPOutputStream zip = new GZIPOutputStream(out)) {
            zip.write(bytes);
        }
        return out.toByteArray();
    }

    private static byte[] unpacked(byte[] bytes) throws IOException {
        try (GZIPInputStream zip = new GZIPInputStream(new ByteArrayInputStream(bytes))) {
            return zip.readAllBytes();
        }
    }

    /** Asks for rules, and tells readers. All but the asking is done in the coordinator's thread. */
    private static final class Coordinator<S extends SourceSplit, E> implements SplitEnumerator<S, Kept<E>> {
        private final SplitEnumerator<S, E> source;
        private final SplitEnumeratorContext<S> context;
        private final RuleFeed feed;
        private final Set<Integer> readers = new HashSet<>();
        private long version;
        private byte[] rules;
        /** What was wrong when it was asked last: said once, however often it is asked. */
        private String wrong = "";

        Coordinator(SplitEnumerator<S, E> source, SplitEnumeratorContext<S> context, Rules from, long version, byte[] rules) {
            this.source = source;
            this.context = context;
            this.feed = from.feed;
            this.version = version;
            this.rules = rules;
        }

        @Override
        public void start() {
            source.start();
            context.callAsync(this::next, this::came, 0, feed.everyMs);
        }

        /** The last that came without errors: what is handed on once must be good for all. In a thread of its own. */
        private byte[] next() throws IOException {
            for (byte[] next : feed.next()) {
                try {
                    new Task(next).close();
                    return next;
                } catch (RuleException e) {
                    LOG.error("{}: passed over, for it has errors: {}", feed, e.getMessage());
                }
            }
            return null;
        }

        private void came(byte[] next, Throwable error) {
            if (error != null) {
                String message = String.valueOf(error.getMessage());
                if (!message.equals(wrong)) {
                    LOG.error("{}: the rules stay as they are: {}", feed, message);
                    wrong = message;
                }
                return;
            }
            wrong = "";
            if (next == null || Arrays.equals(next, rules)) {
                return;
            }
            rules = next;
            version++;
            LOG.info("{}: rules number {}", feed, version);
            for (int reader : readers) {
                tell(reader);
            }
        }

        private void tell(int reader) {
            if (context.registeredReaders().containsKey(reader)) {
                try {
                    context.sendEventToSourceReader(reader, new Told(version, packed(rules)));
                } catch (IOException e) {
                    throw new java.io.UncheckedIOException(e);
                }
            }
        }

        @Override
        public void addReader(int subtask) {
            readers.add(subtask);
            tell(subtask);
            source.addReader(subtask);
        }

        @Override
        public void handleSplitRequest(int subtask, String host) {
            source.handleSplitRequest(subtask, host);
        }

        @Override
        public void addSplitsBack(List<S> splits, int subtask) {
            source.addSplitsBack(splits, subtask);
        }

        @Override
        public void handleSourceEvent(int subtask, SourceEvent event) {
            source.handleSourceEvent(subtask, event);
        }

        @Override
        public Kept<E> snapshotState(long checkpoint) throws Exception {
            return new Kept<>(source.snapshotState(checkpoint), version, rules);
        }

        @Override
        public void notifyCheckpointComplete(long checkpoint) throws Exception {
            source.notifyCheckpointComplete(checkpoint);
        }

        @Override
        public void notifyCheckpointAborted(long checkpoint) throws Exception {
            source.notifyCheckpointAborted(checkpoint);
        }

        @Override
        public void close() throws IOException {
            feed.close();
            source.close();
        }
    }

    /** Reads once it has rules. */
    private static final class Reader<S extends SourceSplit> extends RelayReader<Tuple4<Byte, Long, String, byte[]>, S> {
        private CompletableFuture<Void> wake = new CompletableFuture<>();
        private boolean begun;
        private Told next;

        Reader(SourceReader<Tuple4<Byte, Long, String, byte[]>, S> source, Routing routing) {
            super(source, routing);
        }

        @Override
        public InputStatus pollNext(ReaderOutput<Tuple4<Byte, Long, String, byte[]>> output) throws Exception {
            if (next != null) {
                byte[] rules = unpacked(next.rules);
                routing.change(rules);
                output.collect(Item.of(Item.RULES, next.version, "", rules));
                next = null;
                begun = true;
                wake = new CompletableFuture<>();
                return InputStatus.MORE_AVAILABLE;
            }
            return begun ? source.pollNext(output) : InputStatus.NOTHING_AVAILABLE;
        }

        @Override
        public CompletableFuture<Void> isAvailable() {
            if (!begun || next != null) {
                return wake;
            }
            CompletableFuture<Void> available = source.isAvailable();
            return available.isDone() ? available : CompletableFuture.anyOf(available, wake).thenApply(any -> null);
        }

        @Override
        public void handleSourceEvents(SourceEvent event) {
            if (event instanceof Told rules) {
                next = rules;
                wake.complete(null);
            } else {
                source.handleSourceEvents(event);
            }
        }
    }

    /** Forms below {@link #OURS} are those of the source alone, from before its rules could change. */
    private static final class Serializer<E> implements SimpleVersionedSerializer<Kept<E>> {
        private static final int OURS = 1000;

        private final SimpleVersionedSerializer<E> source;

        Serializer(SimpleVersionedSerializer<E> source) {
            this.source = source;
        }

        @Override
        public int getVersion() {
            return OURS + source.getVersion();
        }

        @Override
        public byte[] serialize(Kept<E> kept) throws IOException {
            ByteArrayOutputStream bytes = new ByteArrayOutputStream();
            DataOutputStream out = new DataOutputStream(bytes);
            out.writeLong(kept.version);
            byte[] rules = packed(kept.rules);
            out.writeInt(rules.length);
            out.write(rules);
            out.write(source.serialize(kept.source));
            return bytes.toByteArray();
        }

        @Override
        public Kept<E> deserialize(int version, byte[] bytes) throws IOException {
            if (version < OURS) {
                return new Kept<>(source.deserialize(version, bytes), 0, null);
            }
            DataInputStream in = new DataInputStream(new ByteArrayInputStream(bytes));
            long number = in.readLong();
            byte[] rules = unpacked(in.readNBytes(in.readInt()));
            return new Kept<>(source.deserialize(version - OURS, in.readAllBytes()), number, rules);
        }
    }
}
