package tripline.flink;

import java.io.IOException;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Map;
import org.apache.flink.api.connector.source.SourceOutput;
import org.apache.flink.api.connector.source.SourceReaderContext;
import org.apache.flink.api.java.tuple.Tuple4;
import org.apache.flink.connector.base.source.reader.RecordEmitter;
import org.apache.flink.connector.base.source.reader.RecordsBySplits;
import org.apache.flink.connector.base.source.reader.RecordsWithSplitIds;
import org.apache.flink.connector.base.source.reader.SingleThreadMultiplexSourceReaderBase;
import org.apache.flink.connector.base.source.reader.splitreader.SplitReader;
import org.apache.flink.connector.base.source.reader.splitreader.SplitsChange;
import org.apache.flink.core.fs.FSDataInputStream;
import org.apache.flink.core.fs.Path;

/** Reads the files of one task in blocks of whole lines, in turn, and routes what they hold. */
final class FileReader
        extends SingleThreadMultiplexSourceReaderBase<
                FileReader.Block, Tuple4<Byte, Long, String, byte[]>, FileSplit, FileSplit> {
    private static final int BLOCK = 64 << 10;
    private static final int SMALL_BLOCK = 8 << 10;

    /** Tests that have seen what they waited for let the rest of their files go fast. */
    static volatile boolean hurry;

    private final Emitter emitter;

    FileReader(SourceReaderContext context, Routing routing, long pauseMs) {
        this(context, new Emitter(routing, context), pauseMs);
    }

    private FileReader(SourceReaderContext context, Emitter emitter, long pauseMs) {
        super(() -> new Blocks(pauseMs), emitter, context.getConfiguration(), context);
        this.emitter = emitter;
    }

    @Override
    protected void onSplitFinished(Map<String, FileSplit> finished) {}

    @Override
    protected FileSplit initializedState(FileSplit split) {
        return split.copy();
    }

    @Override
    protected FileSplit toSplitType(String id, FileSplit state) {
        return state.copy();
    }

    @Override
    public void close() throws Exception {
        super.close();
        emitter.close();
    }

    /** Whole lines of one file. */
    record Block(byte[] bytes, int lines) {}

    /** Routes blocks in the task's own thread. */
    private static final class Emitter
            implements RecordEmitter<Block, Tuple4<Byte, Long, String, byte[]>, FileSplit>, AutoCloseable {
        private final Routing routing;
        private final Item.Counts counts = new Item.Counts();

        Emitter(Routing routing, SourceReaderContext context) {
            this.routing = routing;
            Metrics.input(context.metricGroup(), counts);
        }

        @Override
        public void emitRecord(
                Block block, SourceOutput<Tuple4<Byte, Long, String, byte[]>> output, FileSplit split) {
            Task task = routing.task();
            var answer = task.route(split.input, split.line, System.currentTimeMillis(), split.newest, block.bytes);
            split.newest = Item.give(answer, split.newest, counts, output::collect);
            split.offset += block.bytes.length;
            split.line += block.lines;
        }

        @Override
        public void close() {
            routing.close();
        }
    }

    /** Reads in a thread of its own, a block of each file in turn. */
    private static final class Blocks implements SplitReader<Block, FileSplit> {
        private final ArrayDeque<Open> files = new ArrayDeque<>();
        private final long pauseMs;

        Blocks(long pauseMs) {
            this.pauseMs = pauseMs;
        }

        @Override
        public RecordsWithSplitIds<Block> fetch() throws IOException {
            RecordsBySplits.Builder<Block> records = new RecordsBySplits.Builder<>();
            Open file = files.poll();
            if (file == null) {
                return records.build();
            }
            if (pauseMs > 0 && !hurry) {
                try {
                    Thread.sleep(pauseMs);
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
            }
            Block block = file.next();
            if (block == null) {
                file.stream.close();
                records.addFinishedSplit(file.id);
            } else {
                records.add(file.id, block);
                files.add(file);
            }
            return records.build();
        }

        @Override
        public void handleSplitsChanges(SplitsChange<FileSplit> change) {
            for (FileSplit split : change.splits()) {
                try {
                    Path path = new Path(split.path);
                    FSDataInputStream stream = path.getFileSystem().open(path);
                    stream.seek(split.offset);
                    files.add(new Open(split.splitId(), stream, pauseMs > 0 ? SMALL_BLOCK : BLOCK));
                } catch (IOException e) {
                    throw new RuleException(split.path + ": cannot be read: " + e.getMessage());
                }
            }
        }

        @Override
        public void wakeUp() {}

        @Override
        public void close() throws Exception {
            for (Open file : files) {
                file.stream.close();
            }
        }
    }

    /** A file that is being read. */
    private static final class Open {
        final String id;
        final FSDataInputStream stream;
        private final int size;
        private byte[] rest = new byte[0];

        Open(String id, FSDataInputStream stream, int size) {
            this.size = size;
            this.id = id;
            this.stream = stream;
        }

        /** The next whole lines; the last may lack its end. Null at the end. */
        Block next() throws IOException {
            byte[] bytes = rest;
            while (true) {
                int from = bytes.length;
                bytes = Arrays.copyOf(bytes, from + size);
                int read = stream.readNBytes(bytes, from, size);
                bytes = Arrays.copyOf(bytes, from + Math.max(read, 0));
                int end = lastLineEnd(bytes);
                boolean over = read < size;
                if (over) {
                    rest = new byte[0];
                    return bytes.length == 0 ? null : new Block(bytes, lines(bytes));
                }
                if (end > 0) {
                    rest = Arrays.copyOfRange(bytes, end, bytes.length);
                    byte[] whole = Arrays.copyOf(bytes, end);
                    return new Block(whole, lines(whole));
                }
            }
        }

        private static int lastLineEnd(byte[] bytes) {
            int at = bytes.length;
            while (at > 0 && bytes[at - 1] != '\n') {
                at--;
            }
            return at;
        }

        private static int lines(byte[] bytes) {
            int lines = bytes.length > 0 && bytes[bytes.length - 1] != '\n' ? 1 : 0;
            for (byte b : bytes) {
                lines += b == '\n' ? 1 : 0;
            }
            return lines;
        }
    }
}
