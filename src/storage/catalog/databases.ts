/**
 * Databases as senders see and make them. Most are made by their first row; one that is asked for
 * by name is durable before the answer, so that it is listed after a power cut too. Main thread.
 */
import { GatewayError } from '../../base/errors/gateway-error.ts';
import type { MeasurementSchema } from '../../base/model/schema.ts';
import type { CommitClient } from '../../log/journal/commit-client.ts';
import type { SchemaRegistry } from './schema-registry.ts';

export class Databases {
  readonly #registry: SchemaRegistry;
  readonly #commits: CommitClient;

  constructor(registry: SchemaRegistry, commits: CommitClient) {
    this.#registry = registry;
    this.#commits = commits;
  }

  /** Names, sorted; `_internal` is not among them. */
  list(): readonly string[] {
    return this.#registry.databases();
  }

  /** Measurements of a database, sorted by name; none if there is no such database. */
  measurements(database: string): readonly MeasurementSchema[] {
    return this.#registry.measurements(database);
  }

  /**
   * Resolves when a commit holds the database; one that is held already is no error.
   * @throws HF_PARAMETER if the name cannot be one; HF_COMMIT_REFUSED, HF_COMMIT_THREAD_LOST
   */
  async create(name: string): Promise<void> {
    const refusal = this.#registry.createDatabase(name);
    if (refusal !== undefined) throw new GatewayError('HF_PARAMETER', refusal.reason);
    const changes = this.#registry.takeChanges([]);
    if (changes.databases?.includes(name) !== true) return;
    await this.#commits.commit({ kind: 'schema', ...changes }, []);
  }
}
