import java.io.*;
import java.util.*;
import java.util.concurrent.*;

/** Throws in many ways: {@code java Crash.java WAY CASE}. Without arguments: tells which. */
public class Crash {
    static class OrderException extends RuntimeException {
        OrderException(String message, Throwable cause) { super(message, cause); }
    }
    static class Quiet extends Exception {
        @Override public String toString() { return "quiet, as it says nothing else"; }
    }
    interface Body { Object run() throws Exception; }

    static int deep(int n) { return n == 0 ? 1 / (n - n) : deep(n - 1); }

    static Object chained() {
        try { return Integer.parseInt("x"); } catch (NumberFormatException e) { throw new OrderException("cannot read the settings", e); }
    }
    static Object three() throws Exception {
        try { return chained(); } catch (OrderException e) { throw new IOException("third", e); }
    }
    static Object suppressed() throws Exception {
        try (Closeable a = () -> { throw new IOException("while closing"); }) { throw new IllegalStateException("inside"); }
    }

    static final Map<String, Body> CASES = new LinkedHashMap<>();
    static {
        CASES.put("plain", () -> { throw new RuntimeException("boom"); });
        CASES.put("no message", () -> { throw new IllegalStateException(); });
        CASES.put("division", () -> deep(0));
        CASES.put("ten frames", () -> deep(9));
        CASES.put("chained", Crash::chained);
        CASES.put("three", Crash::three);
        CASES.put("suppressed", Crash::suppressed);
        CASES.put("cause without message", () -> { throw new OrderException(null, new IOException()); });
        CASES.put("lines", () -> { throw new IllegalArgumentException("first\nsecond\nthird"); });
        CASES.put("not ASCII", () -> { throw new IllegalArgumentException("gr\u00f6\u00dfer"); });
        CASES.put("json", () -> { throw new IllegalArgumentException("Unexpected character ('}' (code 125)): {\"a\": }"); });
        CASES.put("colons", () -> { throw new IOException("a: b: c"); });
        CASES.put("null", () -> ((String) null).length());
        CASES.put("index", () -> { int[] a = new int[1]; return a[5]; });
        CASES.put("list", () -> List.of(1).get(5));
        CASES.put("immutable", () -> List.of(1).add(2));
        CASES.put("iteration", () -> new ArrayList<>().iterator().next());
        CASES.put("concurrent", () -> { List<Integer> a = new ArrayList<>(List.of(1, 2, 3)); for (Integer x : a) a.remove(x); return 0; });
        CASES.put("cast", () -> (Integer) (Object) "a");
        CASES.put("store", () -> { Object[] a = new String[1]; a[0] = 5; return a; });
        CASES.put("size", () -> new int[-1]);
        CASES.put("missing file", () -> new FileReader("/nonexistent/a"));
        CASES.put("class", () -> Class.forName("no.such.Class"));
        CASES.put("reflection", () -> Crash.class.getDeclaredMethod("chained").invoke(null));
        CASES.put("stream", () -> List.of("1", "x").stream().map(Integer::valueOf).toList());
        CASES.put("optional", () -> Optional.empty().orElseThrow());
        CASES.put("future", () -> CompletableFuture.supplyAsync(() -> deep(1)).get());
        CASES.put("executor", () -> { ExecutorService e = Executors.newSingleThreadExecutor(); try { return e.submit(() -> deep(1)).get(); } finally { e.shutdown(); } });
        CASES.put("assertion", () -> { throw new AssertionError("must hold"); });
        CASES.put("own toString", () -> { throw new Quiet(); });
        CASES.put("out of memory", () -> { throw new OutOfMemoryError("Java heap space"); });
    }

    static void logged(Body body, String before, String after) throws Exception {
        try { body.run(); } catch (Throwable e) {
            StringWriter trace = new StringWriter();
            e.printStackTrace(new PrintWriter(trace));
            System.err.print("\u001e" + before + "\n" + trace + "\u001e" + after + "\n");
        }
    }

    public static void main(String[] args) throws Exception {
        if (args.length == 0) {
            for (String way : List.of("uncaught", "logged", "in a thread", "within the line")) {
                int n = 0;
                for (String name : CASES.keySet()) if (way.equals("uncaught") || way.equals("logged") || n++ % 4 == 0) System.out.println(way + "\t" + name);
            }
            return;
        }
        Body body = CASES.get(args[1]);
        switch (args[0]) {
            case "uncaught" -> body.run();
            case "logged" -> logged(body, "2026-11-29 10:00:00,123 ERROR [main] app.Jobs - job 7 failed", "2026-11-29 10:00:00,124 INFO  [main] app.Jobs - next");
            case "in a thread" -> { Thread t = new Thread(() -> { try { body.run(); } catch (RuntimeException e) { throw e; } catch (Exception e) { throw new RuntimeException(e); } }, "worker-1"); t.start(); t.join(); }
            case "within the line" -> {
                try { body.run(); } catch (Throwable e) {
                    StringWriter trace = new StringWriter();
                    e.printStackTrace(new PrintWriter(trace));
                    System.err.print("\u001e10:00:00.123 [main] ERROR app.Jobs - failed: " + trace + "\u001e10:00:00.124 [main] INFO  app.Jobs - next\n");
                }
            }
        }
    }
}
