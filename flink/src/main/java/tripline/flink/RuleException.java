package tripline.flink;

/** The library says that something is wrong: with rules, with a state, or, if it panicked, with itself. */
public final class RuleException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public RuleException(String message) {
        super(message);
    }
}
