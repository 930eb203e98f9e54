package tripline.flink;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;

/**
 * The library, as its boundary has it ({@code src/jni.rs}, and {@code src/host/task.rs} for what the bytes are).
 *
 * <p>It is loaded once per class loader, from a copy of its own: Flink gives every job a class loader, and a virtual machine
 * loads one file for one of them only.
 */
final class Native {
    private static final String RESOURCE = "/tripline/libtripline.so";

    static {
        load();
    }

    private Native() {}

    static native long open(byte[] bundle);

    static native void close(long task);

    static native byte[] facts(long task);

    static native byte[] route(long task, int input, long firstLine, long arrival, long newest, byte[] block);

    static native long sorter(int groups);

    static native void closeSorter(long sorter);

    static native void sort(long sorter, byte[] events);

    static native byte[] sorted(long sorter);

    static native byte[] take(long sorter, int place);

    static native void hold(long task, int keys, long bytes, int groups, boolean anew);

    static native byte[] feed(long task, long watermark, byte[] block);

    static native byte[] due(long task, long watermark, long newest, byte[] rung);

    static native void load(long task, byte[] kept);

    static native byte[] step(long task, long start, long watermark, long newest);

    static native byte[] putBack(long task, int why);

    static native void gather(long task, byte[] items);

    static native byte[] advance(long task, long start, long watermark, long newest);

    static native byte[] save(long task);

    static native void restore(long task, byte[] state);

    private static void load() {
        try {
            Path copy = Files.createTempFile("tripline", ".so");
            try (InputStream library = find()) {
                Files.copy(library, copy, StandardCopyOption.REPLACE_EXISTING);
                System.load(copy.toString());
            } finally {
                // The virtual machine has it open.
                Files.delete(copy);
            }
        } catch (IOException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    /** The library in the job's jar, or for tests the file that the property names. */
    private static InputStream find() throws IOException {
        String path = System.getProperty("tripline.library", "");
        if (!path.isEmpty()) {
            return Files.newInputStream(Path.of(path));
        }
        InputStream packed = Native.class.getResourceAsStream(RESOURCE);
        if (packed == null) {
            throw new IOException(
                    "this jar holds no " + RESOURCE + ": make one with `tripline flink package rules/ -o job.jar`");
        }
        return packed;
    }
}
