/**
 * Tag columns that the owner names for dialects that name none (columnar MessagePack): from the
 * next row on such rows have identity, so that a point that comes again is one point
 * (commit-protocol P17). Naming only adds: a named tag stays one, and rows that are there stay as
 * they are; what tells them apart stays too. Durable before the answer. Main thread.
 */
import { GatewayError } from '../../base/errors/gateway-error.ts';
import type { CommitClient } from '../../log/journal/commit-client.ts';
import type { SchemaRegistry } from './schema-registry.ts';

export interface TagNamesDeps {
  readonly registry: SchemaRegistry;
  readonly commits: Pick<CommitClient, 'commit'>;
  /**
   * Throws if no write may come in now. While the log is read a measurement that is new here may
   * have its rows, and its id, in the log: they would go to another one.
   */
  admit(): void;
  /**
   * Ends the measurements' open buffers: what repeats their rows is noticed then, also where it is
   * no version of them any more.
   */
  seal(measurementIds: readonly number[]): void;
}

export class TagNames {
  readonly #deps: TagNamesDeps;

  constructor(deps: TagNamesDeps) {
    this.#deps = deps;
  }

  /**
   * Names tags of a measurement, which is made if it is new. Resolves, once a commit holds that,
   * with the spellings of all its tags, those of its database among them.
   * @throws HF_PARAMETER if one cannot be a tag, and then names none; HF_RECOVERING and what else
   * refuses writes; HF_COMMIT_REFUSED, HF_COMMIT_THREAD_LOST
   */
  async name(
    database: string,
    measurement: string,
    tags: readonly string[],
  ): Promise<readonly string[]> {
    const { registry, admit } = this.#deps;
    admit();
    const named = registry.nameTags(database, measurement, tags);
    if ('reason' in named) throw new GatewayError('HF_PARAMETER', named.reason);
    await this.#commit([named.id]);
    return named.tags;
  }

  /**
   * Spellings of all tags of a measurement, those of its database among them, or of those that are
   * named for a database.
   */
  list(database: string, measurement?: string): readonly string[] {
    const { registry } = this.#deps;
    const known = measurement === undefined ? undefined : registry.peek(database, measurement);
    return known?.tags ?? [...registry.databaseTags(database)];
  }

  /**
   * Names tags of all measurements of a database, present and future; it is made if it is new.
   * Resolves, once a commit holds that, with the spellings of all that are named for it.
   * @throws as `name`
   */
  async nameForAll(database: string, tags: readonly string[]): Promise<readonly string[]> {
    const { registry, admit } = this.#deps;
    admit();
    const named = registry.nameDatabaseTags(database, tags);
    if ('reason' in named) throw new GatewayError('HF_PARAMETER', named.reason);
    await this.#commit(named);
    return [...registry.databaseTags(database)];
  }

  /** What an earlier call left to commit rides along, so that a repeated one is durable too. */
  async #commit(measurementIds: readonly number[]): Promise<void> {
    const { registry, commits, seal } = this.#deps;
    seal(measurementIds);
    const changes = registry.takeChanges(measurementIds);
    if (Object.keys(changes).length === 0) return;
    await commits.commit({ kind: 'schema', ...changes }, []);
  }
}
