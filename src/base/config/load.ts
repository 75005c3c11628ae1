/**
 * The layers of the configuration: default < files < environment < flag, later ones win. A name
 * that no layer knows stops the start with the nearest known name, because a misspelt watermark
 * that is silently ignored is found when the disk is full. This folder alone reads the environment.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse as parseToml } from 'smol-toml';
import { GatewayError } from '../errors/gateway-error.ts';
import { nearestName } from '../lib/nearest.ts';
import { type FlagKind, parseFlags } from './flags.ts';
import {
  environmentName,
  flagNames,
  type OptionName,
  optionEntry,
  optionNames,
  type RawConfig,
} from './options.ts';
import { type ParsedValue, parseValue } from './parse-value.ts';

export const systemFile = '/etc/holdfast/holdfast.toml';
export const systemFolder = '/etc/holdfast/conf.d';

/** Names that begin with HOLDFAST_ and are no options: client verbs and set-up read them. */
export const clientEnvironment: readonly string[] = [
  'HOLDFAST_TOKEN',
  'HOLDFAST_URL',
  'HOLDFAST_MINIO_BINARY',
];

export type Environment = Readonly<Record<string, string | undefined>>;

/** Where the files are read from; tests give their own. */
export interface ConfigFiles {
  exists(path: string): boolean;
  /** Names in a folder, sorted. */
  list(path: string): readonly string[];
  read(path: string): string;
}

export const nodeConfigFiles: ConfigFiles = {
  exists: existsSync,
  list: (path) => readdirSync(path).sort(),
  read: (path) => readFileSync(path, 'utf8'),
};

/** Text of each option that a layer sets, and where it stands, for messages. */
type Layer = Map<OptionName, { readonly text: string; readonly where: string }>;

function isOptionName(name: string): name is OptionName {
  return (optionNames as readonly string[]).includes(name);
}

function unknownKey(where: string, name: string, known: readonly string[]): GatewayError {
  const nearest = nearestName(name, known);
  const hint = nearest === undefined ? '' : `; the nearest known name is '${nearest}'`;
  return new GatewayError('HF_CONFIG', `${where}: unknown option '${name}'${hint}`);
}

function tomlText(value: unknown, where: string): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  if (typeof value === 'boolean') return String(value);
  if (Array.isArray(value)) return value.map((item) => tomlText(item, where)).join(',');
  throw new GatewayError('HF_CONFIG', `${where}: expected text, a number, true or false`);
}

function fileLayer(path: string, files: ConfigFiles, layer: Layer): void {
  let tables: Record<string, unknown>;
  try {
    tables = parseToml(files.read(path));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new GatewayError('HF_CONFIG', `${path}: ${reason}`, { cause: error });
  }
  for (const [section, table] of Object.entries(tables)) {
    if (typeof table !== 'object' || table === null || Array.isArray(table)) {
      throw unknownKey(path, section, optionNames);
    }
    for (const [key, value] of Object.entries(table)) {
      const name = `${section}.${key}`;
      if (!isOptionName(name)) throw unknownKey(path, name, optionNames);
      const where = `${path}: ${name}`;
      layer.set(name, { text: tomlText(value, where), where });
    }
  }
}

function environmentLayer(environment: Environment): Layer {
  const layer: Layer = new Map();
  for (const name of optionNames) {
    for (const alias of optionEntry(name).aliases ?? []) {
      const value = environment[alias.name];
      if (value === undefined || value === '' || layer.has(name)) continue;
      const bare = /^\d+(\.\d+)?$/.test(value.trim());
      const text = bare ? `${value.trim()}${alias.unit ?? ''}` : value;
      layer.set(name, { text, where: alias.name });
    }
  }
  const known = new Map(optionNames.map((name) => [environmentName(name), name]));
  for (const [variable, value] of Object.entries(environment)) {
    if (!variable.startsWith('HOLDFAST_') || value === undefined) continue;
    if (clientEnvironment.includes(variable)) continue;
    const name = known.get(variable);
    if (name === undefined) {
      throw unknownKey('environment', variable, [...known.keys(), ...clientEnvironment]);
    }
    layer.set(name, { text: value, where: variable });
  }
  return layer;
}

/** Flags of `serve`: each option under its names, `--config` and `--help`. */
export function serveFlags(): Readonly<Record<string, FlagKind>> {
  const flags: Record<string, FlagKind> = { config: 'text', help: 'switch' };
  for (const name of optionNames) {
    const kind = optionEntry(name).type === 'boolean' ? 'switch' : 'text';
    for (const flag of flagNames(name)) flags[flag] = kind;
  }
  return flags;
}

function flagLayer(values: ReadonlyMap<string, string>): Layer {
  const layer: Layer = new Map();
  for (const name of optionNames) {
    for (const flag of flagNames(name)) {
      const text = values.get(flag);
      if (text !== undefined) layer.set(name, { text, where: `--${flag}` });
    }
  }
  return layer;
}

export interface LoadSources {
  /** Words after `serve`. */
  readonly words: readonly string[];
  readonly environment: Environment;
  readonly files: ConfigFiles;
}

function filePaths(configFlag: string | undefined, files: ConfigFiles): readonly string[] {
  if (configFlag !== undefined) {
    if (files.exists(configFlag)) return [configFlag];
    throw new GatewayError('HF_CONFIG', `--config ${configFlag}: there is no such file`);
  }
  const paths = files.exists(systemFile) ? [systemFile] : [];
  if (!files.exists(systemFolder)) return paths;
  const more = files.list(systemFolder).filter((name) => name.endsWith('.toml'));
  return [...paths, ...more.map((name) => join(systemFolder, name))];
}

/** All options, parsed, from all layers. `helpWanted` is true if `--help` is among the words. */
export interface LoadedConfig {
  readonly raw: RawConfig;
  /** Names of the options that a layer above the defaults sets. */
  readonly given: ReadonlySet<OptionName>;
  readonly helpWanted: boolean;
}

/**
 * The merged options.
 * @throws HF_CONFIG naming layer and key for unknown names and unreadable values; HF_USAGE for
 * unknown flags and operands.
 */
export function loadConfig(sources: LoadSources): LoadedConfig {
  const { values: flags, operands } = parseFlags(sources.words, serveFlags());
  if (operands.length > 0) {
    throw new GatewayError('HF_USAGE', `serve takes no operand: '${operands[0] ?? ''}'`);
  }
  const merged: Layer = new Map();
  const helpWanted = flags.get('help') === 'true';
  if (!helpWanted) {
    for (const path of filePaths(flags.get('config'), sources.files)) {
      fileLayer(path, sources.files, merged);
    }
    for (const [name, setting] of environmentLayer(sources.environment)) merged.set(name, setting);
    for (const [name, setting] of flagLayer(flags)) merged.set(name, setting);
  }
  const raw: Partial<Record<OptionName, ParsedValue>> = {};
  for (const name of optionNames) {
    const entry = optionEntry(name);
    const setting = merged.get(name) ?? { text: entry.default, where: `default of ${name}` };
    raw[name] = parseValue(entry, setting.text, setting.where);
  }
  // Each value came from the parser of its own option's type, which is what RawConfig states.
  return { raw: raw as RawConfig, given: new Set(merged.keys()), helpWanted };
}
