/**
 * The process entry: verb, configuration, signals, exit codes. No logic of its own; `serve` is the
 * one verb that runs a gateway, all others are clients of one.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { deriveConfig, type Config } from './base/config/derive.ts';
import { serveHelp } from './base/config/document.ts';
import { hostFacts } from './base/config/host.ts';
import { loadConfig, nodeConfigFiles } from './base/config/load.ts';
import { asGatewayError } from './base/errors/gateway-error.ts';
import { version } from './base/lib/version.ts';
import { openLog, type Logger, type OpenedLog } from './base/telemetry/log.ts';
import { exitCodeOf, exitCodes, reportError } from './fronts/cli/command.ts';
import { greeting } from './fronts/cli/serve-greeting.ts';
import { terminal } from './fronts/cli/terminal.ts';
import { runVerb } from './fronts/cli/verbs.ts';
import type { Gateway } from './gateway.ts';
import { boundHeapGrowth } from './system/heap.ts';

/** Undefined if the help was wanted and printed. */
function readConfig(words: readonly string[]): Config | undefined {
  const sources = { words, environment: process.env, files: nodeConfigFiles };
  const { raw, helpWanted } = loadConfig(sources);
  if (!helpWanted) return deriveConfig(raw, hostFacts());
  process.stdout.write(serveHelp());
  return undefined;
}

/** A person reads along: a terminal, or `npm start`. */
function startedByHand(): boolean {
  return process.stdout.isTTY || process.env['npm_lifecycle_event'] === 'start';
}

/** The commands that it shows work only once the log is read. */
function greetWhenReady({ recovered, url }: Gateway): void {
  const greet = () => void process.stdout.write(greeting(url));
  recovered.then(greet, () => undefined);
}

/** The first signal that asks for the end. */
function endAsked(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, resolve);
  });
}

/** What is not flushed when the time is over stays in the log and is read at the next start. */
async function closeInTime(gateway: Gateway, config: Config, logger: Logger): Promise<void> {
  try {
    await Promise.race([gateway.close(), delay(config.server.shutdownTimeoutMs)]);
    logger.info({}, 'stopped');
  } catch (error) {
    logger.error({ error }, 'stopped early');
  }
}

/**
 * After an error that nobody expected nothing in memory can be trusted: rows of it must not be
 * filed, nor requests answered. The log has them; the next start reads it.
 */
function endAtOnce(error: unknown, gateway: Gateway | undefined, log: OpenedLog): never {
  log.logger.fatal({ error }, 'stopping at once, without filing what is in memory: a bug');
  if (gateway?.abandon() === false) log.logger.fatal({}, 'the log could not be synced');
  log.close();
  process.exit(exitCodes.bug);
}

async function serve(words: readonly string[]): Promise<number> {
  let config: Config | undefined;
  try {
    config = readConfig(words);
  } catch (error) {
    return reportError(error, process.stderr);
  }
  if (config === undefined) return exitCodes.ok;
  const log = openLog(config.log.level);
  const { logger } = log;
  const stop = endAsked();
  let gateway: Gateway | undefined;
  process.on('uncaughtException', (error) => {
    endAtOnce(error, gateway, log);
  });
  try {
    boundHeapGrowth();
    logger.info({ version, pid: process.pid }, 'start');
    for (const notice of config.notices) logger.warn({}, notice);
    // Only `serve` pays for loading the gateway and its native parts.
    const { startGateway } = await import('./gateway.ts');
    gateway = await startGateway(config, logger);
    if (startedByHand()) greetWhenReady(gateway);
    const recovery = gateway.recovered.then(
      () => new Promise<never>(() => undefined),
      (error: unknown) => asGatewayError(error),
    );
    const end = await Promise.race([stop, gateway.failed, recovery]);
    if (typeof end === 'string') {
      logger.info({ signal: end }, 'stopping');
      await closeInTime(gateway, config, logger);
      return exitCodes.ok;
    }
    if (end.kind === 'bug') endAtOnce(end, gateway, log);
    logger.fatal({ error: end }, 'stopping: a restart can help');
    await closeInTime(gateway, config, logger);
    return exitCodeOf(end);
  } catch (error) {
    logger.fatal({ error }, 'the gateway did not start');
    return reportError(error, process.stderr);
  } finally {
    log.close();
  }
}

const [verb, ...words] = process.argv.slice(2);
if (verb === 'serve') {
  // Threads or sockets that a failed start left open must not keep the process.
  process.exit(await serve(words));
}
// Clients end by themselves, when their output is written.
process.exitCode = await runVerb(process.argv.slice(2), terminal(process.env));
