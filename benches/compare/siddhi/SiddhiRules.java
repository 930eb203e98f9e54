import io.siddhi.core.SiddhiAppRuntime;
import io.siddhi.core.SiddhiManager;
import io.siddhi.core.event.Event;
import io.siddhi.core.stream.input.InputHandler;
import io.siddhi.core.stream.output.StreamCallback;
import java.io.BufferedReader;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonFactory;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonParser;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonToken;

/**
 * Siddhi over the stream of the comparison: SiddhiRules STREAM RULE [ready]
 *
 * <p>Event time by playback. Lines are decoded with the parser that the Flink program uses, too. With "ready" all events
 * are decoded before, and "cpu SECONDS" says what the thread that sends them took, which is the one that matches.
 */
public final class SiddhiRules {
  private static long matches;
  private static long sum;

  public static void main(String[] arguments) throws Exception {
    Path stream = Path.of(arguments[0]);
    SiddhiManager manager = new SiddhiManager();
    SiddhiAppRuntime runtime = manager.createSiddhiAppRuntime(rule(arguments[1]));
    runtime.addCallback("Found", new StreamCallback() {
      @Override
      public void receive(Event[] events) {
        for (Event event : events) {
          matches++;
          sum += mix((long) event.getData(0) * 31 + (long) event.getData(1));
        }
      }
    });
    runtime.start();
    InputHandler input = runtime.getInputHandler("Events");
    if (arguments.length > 2) {
      List<Object[]> ready = new ArrayList<>();
      decode(stream, ready::add);
      long before = ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime();
      for (Object[] event : ready) {
        input.send((long) event[0], event);
      }
      long nanos = ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime() - before;
      System.out.printf(Locale.ROOT, "cpu %.3f%n", nanos / 1e9);
    } else {
      decode(stream, event -> input.send((long) event[0], event));
    }
    System.out.printf(Locale.ROOT, "found %s %d %d%n", arguments[1], matches, sum);
    System.out.flush();
    Runtime.getRuntime().halt(0);
  }

  private static String rule(String name) {
    String events = "@app:playback define stream Events (time long, user string, type string, value double); ";
    return events + switch (name) {
      case "filter" -> "from Events[type == 'A' and value > 50.0] select time as first, time as last insert into Found;";
      case "part" ->
          "partition with (user of Events) begin "
              + "from every a=Events[type == 'A'] -> b=Events[type == 'B'] within 10 min "
              + "select a.time as first, b.time as last insert into Found; end;";
      default -> throw new IllegalArgumentException(name);
    };
  }

  /** What takes an event. */
  private interface Sink {
    void accept(Object[] event) throws InterruptedException;
  }

  private static void decode(Path stream, Sink sink) throws IOException, InterruptedException {
    JsonFactory json = new JsonFactory();
    try (BufferedReader lines = Files.newBufferedReader(stream)) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        Object[] event = new Object[4];
        try (JsonParser parser = json.createParser(line)) {
          parser.nextToken();
          while (parser.nextToken() == JsonToken.FIELD_NAME) {
            String field = parser.currentName();
            parser.nextToken();
            switch (field) {
              case "time" -> event[0] = parser.getLongValue();
              case "user" -> event[1] = parser.getText();
              case "type" -> event[2] = parser.getText();
              case "value" -> event[3] = parser.getDoubleValue();
              default -> parser.skipChildren();
            }
          }
        }
        sink.accept(event);
      }
    }
  }

  private static long mix(long number) {
    number = (number ^ (number >>> 30)) * 0xbf58476d1ce4e5b9L;
    number = (number ^ (number >>> 27)) * 0x94d049bb133111ebL;
    return number ^ (number >>> 31);
  }
}
