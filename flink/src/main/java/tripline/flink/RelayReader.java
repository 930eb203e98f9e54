package tripline.flink;

import java.util.Collection;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.apache.flink.api.connector.source.SourceEvent;
import org.apache.flink.api.connector.source.SourceReader;
import org.apache.flink.api.connector.source.SourceSplit;

/** A reader that stands before another: what a subclass does not take itself is handed on. */
abstract class RelayReader<T, S extends SourceSplit> implements SourceReader<T, S> {
    final SourceReader<T, S> source;
    final Routing routing;

    RelayReader(SourceReader<T, S> source, Routing routing) {
        this.source = source;
        this.routing = routing;
    }

    @Override
    public void start() {
        source.start();
    }

    @Override
    public List<S> snapshotState(long checkpoint) {
        return source.snapshotState(checkpoint);
    }

    @Override
    public CompletableFuture<Void> isAvailable() {
        return source.isAvailable();
    }

    @Override
    public void addSplits(List<S> splits) {
        source.addSplits(splits);
    }

    @Override
    public void notifyNoMoreSplits() {
        source.notifyNoMoreSplits();
    }

    @Override
    public void handleSourceEvents(SourceEvent event) {
        source.handleSourceEvents(event);
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
    public void pauseOrResumeSplits(Collection<String> pause, Collection<String> resume) {
        source.pauseOrResumeSplits(pause, resume);
    }

    @Override
    public void close() throws Exception {
        source.close();
        routing.close();
    }
}
