package tripline.flink;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import org.apache.flink.api.connector.source.SourceSplit;
import org.apache.flink.core.io.SimpleVersionedSerializer;

/** One file, and how far it has been read. */
final class FileSplit implements SourceSplit {
    final String path;

    /** Its place among the inputs: part of the position of its events. */
    final int input;

    /** The next byte and line, and the newest event time so far. */
    long offset;

    long line;
    long newest;

    FileSplit(String path, int input, long offset, long line, long newest) {
        this.path = path;
        this.input = input;
        this.offset = offset;
        this.line = line;
        this.newest = newest;
    }

    FileSplit copy() {
        return new FileSplit(path, input, offset, line, newest);
    }

    @Override
    public String splitId() {
        return input + ":" + path;
    }

    static final class Serializer implements SimpleVersionedSerializer<FileSplit> {
        @Override
        public int getVersion() {
            return 1;
        }

        @Override
        public byte[] serialize(FileSplit split) throws IOException {
            ByteArrayOutputStream bytes = new ByteArrayOutputStream();
            DataOutputStream out = new DataOutputStream(bytes);
            out.writeUTF(split.path);
            out.writeInt(split.input);
            out.writeLong(split.offset);
            out.writeLong(split.line);
            out.writeLong(split.newest);
            return bytes.toByteArray();
        }

        @Override
        public FileSplit deserialize(int version, byte[] bytes) throws IOException {
            if (version != getVersion()) {
                throw new IOException("a file split of form " + version + ", this release reads form " + getVersion());
            }
            DataInputStream in = new DataInputStream(new ByteArrayInputStream(bytes));
            return new FileSplit(in.readUTF(), in.readInt(), in.readLong(), in.readLong(), in.readLong());
        }
    }
}
