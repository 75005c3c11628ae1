/**
 * The HTTP front: takes requests on one loopback address, answers in the dialect of the path, and
 * stops without losing one that is under way. Main thread.
 *
 * I1. No request reaches a route unless it comes from a program of this machine (local-only.ts).
 * I2. Every error, Fastify's own included, leaves through reply-error.ts.
 * I3. Bodies of write routes are never parsed or limited by Fastify, whose defaults mangle gzip and
 *     answer 413 and 415, at which Telegraf drops rows; routes read the raw stream (read-body.ts).
 * I4. From `drain` on new requests get 503; those under way are answered.
 */
import type { Socket } from 'node:net';
import { fastify, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { asGatewayError, GatewayError } from '../../base/errors/gateway-error.ts';
import { publicCode } from '../../base/errors/public-code.ts';
import type { CounterRecorder } from '../../base/telemetry/metrics.ts';
import { listenError } from '../../system/address.ts';
import { settleClientFault } from './client-fault.ts';
import { dialectOf, isWritePath, pathOf } from './dialect.ts';
import type { HttpFrontDeps, HttpFrontOptions } from './front-types.ts';
import { whyNotLocal } from './local-only.ts';
import { errorAnswer } from './reply-error.ts';
import { registerDeadLetters } from './routes/dead-letters.ts';
import { registerHealth } from './routes/health.ts';
import { registerInfluxQuery } from './routes/influx-query.ts';
import { registerNamedTags } from './routes/named-tags.ts';
import { registerMetrics } from './routes/metrics.ts';
import { registerMonitoring } from './routes/monitoring.ts';
import { influxVersion, registerPing } from './routes/ping.ts';
import { registerQuery } from './routes/query.ts';
import { registerStatus } from './routes/status.ts';
import { registerArrowRoute } from './routes/write-arrow.ts';
import { registerLineRoutes } from './routes/write-line.ts';
import { registerMessagePackRoutes } from './routes/write-msgpack.ts';

/** Go clients close an idle connection after 90 s; closing later than they do avoids the race. */
const keepAliveMs = 120_000;

const headMsMax = 15_000;

/** Paths that stay open while the gateway stops, so that its end can be watched. */
const watchPaths = new Set(['/health', '/api/v1/health', '/ready', '/metrics', '/api/v1/status']);

/** Fastify's own errors carry a status; everything else that is no GatewayError is a bug. */
function toGatewayError(error: unknown): GatewayError {
  if (error instanceof GatewayError) return error;
  const status = (error as { statusCode?: unknown } | null)?.statusCode;
  if (typeof status !== 'number' || status < 400 || status >= 500) return asGatewayError(error);
  const message = error instanceof Error ? error.message : 'the request cannot be answered';
  if (status === 413) return new GatewayError('HF_BODY_TOO_LARGE', message, { cause: error });
  return new GatewayError('HF_HTTP', message, { cause: error, details: { status } });
}

export class HttpFront {
  readonly #deps: HttpFrontDeps;
  readonly #options: HttpFrontOptions;
  readonly #app: FastifyInstance;
  /** Requests under way per connection. */
  readonly #busy = new Map<Socket, number>();
  readonly #drained: (() => void)[] = [];
  readonly #answered: CounterRecorder<'holdfast_http_requests_total'>;
  readonly #refused: CounterRecorder<'holdfast_ingest_refused_requests_total'>;
  #active = 0;
  #stopping = false;
  #url = '';

  constructor(deps: HttpFrontDeps, options: HttpFrontOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#answered = deps.metrics.counter('holdfast_http_requests_total');
    this.#refused = deps.metrics.counter('holdfast_ingest_refused_requests_total');
    deps.metrics.read('holdfast_http_requests_active', () => this.#active);
    this.#app = this.#build();
  }

  /** For tests: requests without a socket. */
  get app(): FastifyInstance {
    return this.#app;
  }

  /** Where it listens, once `open` resolved. */
  get url(): string {
    return this.#url;
  }

  /** Requests that are being received or answered. */
  get active(): number {
    return this.#active;
  }

  #build(): FastifyInstance {
    const { requestTimeoutMs, slownessCheckMs = 1000 } = this.#options;
    const app = fastify({
      logger: false,
      requestTimeout: requestTimeoutMs,
      keepAliveTimeout: keepAliveMs,
      return503OnClosing: false,
      forceCloseConnections: 'idle',
      exposeHeadRoutes: true,
      routerOptions: { ignoreTrailingSlash: true },
      http: {
        connectionsCheckingInterval: slownessCheckMs,
        headersTimeout: Math.min(headMsMax, requestTimeoutMs),
        // Node's own answer to a missing Host is not JSON; I1 turns it away.
        requireHostHeader: false,
      },
      clientErrorHandler: (error, socket) => {
        settleClientFault(error, socket, this.#busy.has(socket));
      },
      frameworkErrors: (error, request, reply) => {
        this.#fail(error, request, reply);
      },
    });
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('*', (_request, payload, done) => {
      done(null, payload);
    });
    const allowed = new Map<string, Set<string>>();
    app.addHook('onRoute', ({ url, method }) => {
      const methods = allowed.get(url) ?? new Set();
      for (const each of [method].flat()) methods.add(each);
      allowed.set(url, methods);
    });
    app.addHook('onRequest', (request, reply, done) => {
      this.#receive(request, reply);
      done();
    });
    app.setErrorHandler((error, request, reply) => this.#fail(error, request, reply));
    app.setNotFoundHandler((request, reply) => {
      const path = pathOf(request.raw.url ?? '');
      const methods = allowed.get(path);
      if (methods === undefined) {
        return this.#fail(
          new GatewayError('HF_ROUTE_UNKNOWN', `nothing is at ${path}`),
          request,
          reply,
        );
      }
      const allow = [...methods].sort().join(', ');
      const message = `${path} takes ${allow}, not ${request.method}`;
      return this.#fail(
        new GatewayError('HF_METHOD', message, { details: { allow } }),
        request,
        reply,
      );
    });
    // Of an expectation that is not known nothing is expected, rather than a 417 without JSON.
    app.server.on('checkExpectation', (request, response) => {
      app.server.emit('request', request, response);
    });
    this.#register(app);
    return app;
  }

  #register(app: FastifyInstance): void {
    const { status, metrics } = this.#deps;
    registerLineRoutes(app, this.#deps, this.#options);
    registerMessagePackRoutes(app, this.#deps, this.#options);
    registerArrowRoute(app, this.#deps, this.#options);
    registerQuery(app, this.#deps, this.#options);
    registerInfluxQuery(app, this.#deps, this.#options);
    registerDeadLetters(app, this.#deps);
    registerNamedTags(app, this.#deps);
    registerPing(app, status.version);
    registerHealth(app, status);
    registerStatus(app, status);
    registerMonitoring(app, status);
    registerMetrics(app, metrics);
  }

  /** Counts the request in, then turns away whom nothing further may see. */
  #receive(request: FastifyRequest, reply: FastifyReply): void {
    const path = pathOf(request.raw.url ?? '');
    this.#enter(request, reply);
    if (dialectOf(path) === 'v1') {
      reply.header('x-influxdb-version', influxVersion);
      reply.header('x-influxdb-build', 'Holdfast');
    }
    const { method, headers, rawHeaders } = request.raw;
    const reason = whyNotLocal({ method: method ?? '', path, headers, rawHeaders });
    if (reason !== undefined) {
      throw new GatewayError('HF_NOT_LOCAL', `only programs of this machine are served: ${reason}`);
    }
    if (this.#stopping) {
      reply.header('connection', 'close');
      if (!watchPaths.has(path))
        throw new GatewayError('HF_SHUTTING_DOWN', 'the gateway is stopping');
    }
    // What senders call their lines says nothing; a word Fastify cannot read must not be a 415.
    if (isWritePath(path)) delete request.raw.headers['content-type'];
  }

  #enter(request: FastifyRequest, reply: FastifyReply): void {
    const socket = request.raw.socket;
    this.#active += 1;
    this.#busy.set(socket, (this.#busy.get(socket) ?? 0) + 1);
    reply.raw.once('close', () => {
      const left = (this.#busy.get(socket) ?? 1) - 1;
      if (left === 0) this.#busy.delete(socket);
      else this.#busy.set(socket, left);
      this.#active -= 1;
      const route = request.routeOptions.url ?? 'none';
      this.#answered.add(1, { route, status: String(reply.raw.statusCode) });
      if (this.#active === 0) for (const resolve of this.#drained.splice(0)) resolve();
    });
  }

  #fail(thrown: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const error = toGatewayError(thrown);
    const path = pathOf(request.raw.url ?? '');
    const isWrite = isWritePath(path);
    const answer = errorAnswer(error, dialectOf(path), isWrite);
    const gone = request.raw.errored !== null || reply.raw.destroyed;
    if (answer.status === 500 && !gone) {
      this.#deps.logger.error({ error, path }, 'a request failed');
    }
    if (isWrite && answer.status === 503) this.#refused.add(1, { code: publicCode(error.code) });
    return reply.code(answer.status).headers(answer.headers).send(answer.body);
  }

  /**
   * Listens; resolves to the URL.
   * @throws HF_LISTEN if the address is taken or not on this machine.
   */
  async open(): Promise<string> {
    const { host, port } = this.#options;
    try {
      this.#url = await this.#app.listen({ host, port });
    } catch (error) {
      throw listenError({ host, port }, error);
    }
    return this.#url;
  }

  /** Refuses new requests from now on; resolves when those under way are answered. */
  drain(): Promise<void> {
    this.#stopping = true;
    if (this.#active === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#drained.push(resolve);
    });
  }

  /** Stops listening and cuts every connection that is left. */
  async close(): Promise<void> {
    this.#stopping = true;
    const closed = this.#app.close();
    this.#app.server.closeAllConnections();
    await closed;
  }
}
