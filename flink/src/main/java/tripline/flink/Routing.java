package tripline.flink;

import java.io.Serializable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The rules by which one reader of a source routes.
 *
 * <p>A source and what it reads with share one of these, so that the reader can be told of new rules.
 */
final class Routing implements Serializable, AutoCloseable {
    private static final long serialVersionUID = 1L;
    private static final Logger LOG = LoggerFactory.getLogger(Routing.class);

    final Rules rules;
    private transient Task task;

    Routing(Rules rules) {
        this.rules = rules;
    }

    Task task() {
        if (task == null) {
            task = rules.open();
        }
        return task;
    }

    /** Other rules; those with errors are passed over. */
    void change(byte[] bundle) {
        try {
            Task next = new Task(bundle);
            close();
            task = next;
        } catch (RuleException e) {
            LOG.error("the rules stay as they are: {}", e.getMessage());
        }
    }

    @Override
    public void close() {
        if (task != null) {
            task.close();
            task = null;
        }
    }
}
