package tripline.flink;

import java.io.IOException;
import java.io.InputStream;
import java.io.Serializable;
import java.util.Properties;
import org.apache.flink.core.fs.FSDataInputStream;
import org.apache.flink.core.fs.FileStatus;
import org.apache.flink.core.fs.FileSystem;
import org.apache.flink.core.fs.Path;

/**
 * The rules of a job: those it was submitted with, and where others may come from while it runs.
 *
 * <p>What comes is read in one place, the coordinator of the source, and goes through the job as a stream to all its tasks;
 * see {@link RuledSource} and {@link Told}.
 */
final class Rules implements Serializable {
    private static final long serialVersionUID = 1L;

    /** What the job was submitted with. */
    private final byte[] bundle;

    /** Where others come from; null if they stay. */
    final RuleFeed feed;

    private Rules(byte[] bundle, RuleFeed feed) {
        this.bundle = bundle;
        this.feed = feed;
    }

    static Rules fixed(byte[] bundle) {
        return new Rules(bundle, null);
    }

    /** Those of a file that can be read now, and is looked at again and again. */
    static Rules watched(String path, long everyMs) throws IOException {
        return new Rules(read(new Path(path)), new RuleFeed.OfFile(path, everyMs));
    }

    /** Those of the last record of a topic, once there is one. */
    static Rules ofTopic(byte[] bundle, Properties brokers, String topic, long everyMs) {
        return new Rules(bundle, new RuleFeed.OfTopic(brokers, topic, everyMs));
    }

    /** The rules that the job was submitted with, compiled. */
    Task open() {
        return new Task(bundle);
    }

    byte[] bundle() {
        return bundle;
    }

    /** Whether the rules may change while the job runs. */
    boolean mayChange() {
        return feed != null;
    }

    static byte[] read(Path path) throws IOException {
        FileSystem files = path.getFileSystem();
        FileStatus status = files.getFileStatus(path);
        try (FSDataInputStream in = files.open(path)) {
            return ((InputStream) in).readNBytes(Math.toIntExact(status.getLen()));
        }
    }
}
