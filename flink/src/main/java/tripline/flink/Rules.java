package tripline.flink;

import java.io.IOException;
import java.io.InputStream;
import java.io.Serializable;
import org.apache.flink.core.fs.FSDataInputStream;
import org.apache.flink.core.fs.FileStatus;
import org.apache.flink.core.fs.FileSystem;
import org.apache.flink.core.fs.Path;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The rules of a job: those it was submitted with, or those of a file that every task looks at from time to time.
 *
 * <p>Tasks need not change rules at the same moment: what goes between them names rules by their content, so a task passes
 * over what is for rules that it does not have yet, or no longer.
 */
final class Rules implements Serializable {
    private static final long serialVersionUID = 1L;
    private static final Logger LOG = LoggerFactory.getLogger(Rules.class);

    /** What the job was submitted with. */
    private final byte[] bundle;

    /** A file that is watched; null for none. */
    private final String path;

    /** How often it is looked at. */
    private final long everyMs;

    private Rules(byte[] bundle, String path, long everyMs) {
        this.bundle = bundle;
        this.path = path;
        this.everyMs = everyMs;
    }

    static Rules fixed(byte[] bundle) {
        return new Rules(bundle, null, 0);
    }

    /** Those of a file that can be read now, and is watched. */
    static Rules watched(String path, long everyMs) throws IOException {
        return new Rules(read(new Path(path)), path, everyMs);
    }

    /** The rules as they are now, compiled. */
    Task open() {
        if (path != null) {
            try {
                return new Task(read(new Path(path)));
            } catch (IOException | RuleException e) {
                LOG.error("{}: the job begins with the rules it was submitted with: {}", path, e.getMessage());
            }
        }
        return new Task(bundle);
    }

    /** Whether the rules may change while the job runs. */
    boolean isWatched() {
        return path != null;
    }

    /** A watch for one task. */
    Watch watch() {
        return new Watch();
    }

    private static byte[] read(Path path) throws IOException {
        FileSystem files = path.getFileSystem();
        FileStatus status = files.getFileStatus(path);
        try (FSDataInputStream in = files.open(path)) {
            return ((InputStream) in).readNBytes(Math.toIntExact(status.getLen()));
        }
    }

    /** Looks at the file now and then. */
    final class Watch {
        private long lookAt = System.currentTimeMillis() + everyMs;
        private String seen = stamp();

        /**
         * The rules that have come meanwhile, or null. Rules that cannot be read or have errors are passed over, and the log
         * says why.
         */
        Task look(Task now) {
            if (path == null || System.currentTimeMillis() < lookAt) {
                return null;
            }
            lookAt = System.currentTimeMillis() + everyMs;
            String stamp = stamp();
            if (stamp == null || stamp.equals(seen)) {
                return null;
            }
            seen = stamp;
            try {
                Task next = new Task(read(new Path(path)));
                if (next.fingerprint == now.fingerprint) {
                    next.close();
                    return null;
                }
                LOG.info("{}: new rules", path);
                return next;
            } catch (IOException | RuleException e) {
                LOG.error("{}: the rules stay as they are: {}", path, e.getMessage());
                return null;
            }
        }

        private String stamp() {
            if (path == null) {
                return null;
            }
            try {
                Path file = new Path(path);
                FileStatus status = file.getFileSystem().getFileStatus(file);
                return status.getModificationTime() + ":" + status.getLen();
            } catch (IOException e) {
                return null;
            }
        }
    }
}
