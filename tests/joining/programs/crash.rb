# Raises in many ways: `ruby crash.rb WAY CASE`. Without arguments: tells which.
require 'json'
require 'logger'
require 'socket'
require 'timeout'

class AppError < StandardError; end
module Shop
  class OrderError < AppError
    def message = 'order 5 is gone'
  end
end

def deep(n) = n.zero? ? 1 / 0 : deep(n - 1)

def chained
  {}.fetch(:key)
rescue KeyError
  raise AppError, 'cannot read the settings'
end

def three
  chained
rescue AppError
  raise Shop::OrderError
end

CASES = {
  'division' => -> { deep(0) },
  'ten frames' => -> { deep(9) },
  'plain' => -> { raise 'boom' },
  'no message' => -> { raise AppError },
  'empty message' => -> { raise AppError, '' },
  'own message' => -> { raise Shop::OrderError },
  'chained' => -> { chained },
  'three' => -> { three },
  'lines' => -> { raise "first\nsecond\nthird" },
  'not ASCII' => -> { raise 'größer: 日本語' },
  'parentheses' => -> { raise 'a (b) (c)' },
  'quote' => -> { raise "it's `x'" },
  'no method' => -> { nil.foo },
  'no method with a suggestion' => -> { 'a'.lenght },
  'name' => -> { undefined_name },
  'constant' => -> { Nonsense },
  'argument' => -> { [].first(1, 2) },
  'type' => -> { 1 + 'a' },
  'key' => -> { { a: 1 }.fetch(:b) },
  'index' => -> { [].fetch(5) },
  'json' => -> { JSON.parse('{') },
  'missing file' => -> { File.read('/nonexistent/a') },
  'refused' => -> { TCPSocket.new('127.0.0.1', 1) },
  'timeout' => -> { Timeout.timeout(0.01) { sleep 1 } },
  'frozen' => -> { 'a'.freeze << 'b' },
  'integer' => -> { Integer('x') },
  'regex' => -> { Regexp.new('(') },
  'iteration' => -> { [].each.next },
  'encoding' => -> { "\xff".encode('UTF-16') },
  'block' => -> { [1].each { |x| [x].map { raise 'in a block' } } },
}.freeze

def logging(io)
  logger = Logger.new(io)
  usual = Logger::Formatter.new
  logger.formatter = ->(*parts) { "\x1e" + usual.call(*parts) }
  logger
end

WAYS = {
  'uncaught' => ->(f) { f.call },
  'logged' => lambda do |f|
    f.call
  rescue StandardError => e
    logging($stderr).error(e)
    logging($stderr).info('next')
  end,
  'printed' => lambda do |f|
    f.call
  rescue StandardError => e
    warn "\x1e#{e.full_message(highlight: false)}"
    warn "\x1enext"
  end,
}.freeze

if ARGV.empty?
  WAYS.each_key { |way| CASES.each_key.with_index { |name, n| puts "#{way}\t#{name}" if way != 'printed' || (n % 4).zero? } }
else
  WAYS.fetch(ARGV[0]).call(CASES.fetch(ARGV[1]))
end
