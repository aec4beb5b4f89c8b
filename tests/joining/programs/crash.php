<?php
// Throws in many ways: `php crash.php WAY CASE`. Without arguments: tells which.
namespace Shop;

class OrderError extends \RuntimeException {}
class Job {
    public function run(\Closure $f, array $options) { return $f(); }
    public static function start(\Closure $f) { return (new self())->run($f, ['a' => 1]); }
}
function deep(int $n) { return $n ? deep($n - 1) : intdiv(1, 0); }
function chained() {
    try { throw new \LogicException('no key'); } catch (\LogicException $e) { throw new OrderError('cannot read the settings', 5, $e); }
}

$cases = [
    'plain' => fn() => throw new \Exception('boom'),
    'no message' => fn() => throw new \Exception(),
    'own class' => fn() => throw new OrderError('order 5 is gone'),
    'division' => fn() => deep(0),
    'ten frames' => fn() => deep(9),
    'chained' => fn() => chained(),
    'in a method' => fn() => Job::start(fn() => throw new \DomainException('in a job')),
    'lines' => fn() => throw new \Exception("first\nsecond\nthird"),
    'not ASCII' => fn() => throw new \Exception('größer: 日本語'),
    'in' => fn() => throw new \Exception('what in the world in /etc/passwd:5'),
    'type' => fn() => strlen([]),
    'argument' => fn() => array_combine([1], [1, 2]),
    'arguments' => fn() => (function ($a) {})(),
    'method' => fn() => (new Job())->missing(),
    'null' => fn() => null->foo(),
    'class' => fn() => new Missing(),
    'constant' => fn() => NONSENSE,
    'json' => fn() => json_decode('{', false, 5, JSON_THROW_ON_ERROR),
    'date' => fn() => new \DateTime('nonsense'),
    'match' => fn() => match (5) { 1 => 2 },
    'enum' => fn() => \Shop\Size::from('x'),
    'generator' => function () { foreach ((function () { yield 1; throw new \Exception('in a generator'); })() as $_) {} },
    'random' => fn() => random_int(2, 1),
    'error' => fn() => throw new \Error('an error'),
];
enum Size: string { case Small = 's'; }

$ways = [
    'uncaught' => fn($f) => $f(),
    'uncaught, to the log' => function ($f) { ini_set('log_errors', '1'); ini_set('display_errors', '0'); $f(); },
    'error_log' => function ($f) { try { $f(); } catch (\Throwable $e) { error_log("\x1efailed: " . $e); error_log("\x1enext"); } },
    'Monolog' => function ($f) {
        try { $f(); } catch (\Throwable $e) {
            // as Monolog's LineFormatter writes it, with includeStacktraces
            $said = '[object] (' . str_replace('\\', '\\\\', get_class($e)) . '(code: ' . $e->getCode() . '): ' . $e->getMessage() . ' at ' . $e->getFile() . ':' . $e->getLine() . ")\n[stacktrace]\n" . $e->getTraceAsString() . "\n";
            fwrite(STDERR, "\x1e[2026-11-29T10:00:00.123456+00:00] app.ERROR: failed {\"exception\":\"" . $said . "\"} []\n");
            fwrite(STDERR, "\x1e[2026-11-29T10:00:00.123457+00:00] app.INFO: next [] []\n");
        }
    },
];
if ($argc === 1) {
    foreach (array_keys($ways) as $way) foreach (array_keys($cases) as $n => $case) if ($way !== 'uncaught, to the log' || $n % 4 === 0) echo "$way\t$case\n";
    exit;
}
$ways[$argv[1]]($cases[$argv[2]]);
