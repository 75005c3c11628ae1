/**
 * Who counts as a program of this machine while the gateway is open (contract, "Who may do what").
 * A browser on this machine runs pages of strangers, and a proxy brings strangers here, so a
 * loopback connection alone proves nothing: Host defeats DNS rebinding, Origin and Sec-Fetch-Site
 * defeat foreign pages, the forwarding headers name whom a proxy speaks for.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { isIPv4, isIPv6 } from 'node:net';

export interface LocalQuestion {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** Names and values as they came, in turns: they show a header that was sent twice. */
  readonly rawHeaders: readonly string[];
}

function isLoopback(address: string): boolean {
  const plain = /^::ffff:/i.test(address) ? address.slice('::ffff:'.length) : address;
  if (isIPv4(plain)) return plain.startsWith('127.');
  return isIPv6(plain) && /^(0{0,4}:){2,7}0{0,3}1$/.test(plain);
}

/** Host and port without the port of plain HTTP; undefined if it does not name this machine. */
function localHost(host: string): string | undefined {
  const match = /^(localhost|\[::1\]|127(?:\.\d{1,3}){3})(?::(\d{1,5}))?$/i.exec(host);
  const name = match?.[1]?.toLowerCase();
  if (name === undefined) return undefined;
  if (name.startsWith('127.') && !isIPv4(name)) return undefined;
  const port = match?.[2] ?? '80';
  return `${name}:${Number(port)}`;
}

/** `1.2.3.4`, `1.2.3.4:5`, `[::1]`, `[::1]:5` or `::1` without port and brackets. */
function withoutPort(node: string): string {
  const bracketed = /^\[([^\]]+)\](?::\d+)?$/.exec(node);
  if (bracketed !== null) return bracketed[1] ?? '';
  return /^[\d.]+:\d+$/.test(node) ? (node.split(':', 1)[0] ?? '') : node;
}

/** Addresses that `Forwarded` (RFC 7239) names after for= and by=. */
function forwardedNodes(value: string): readonly string[] {
  const nodes: string[] = [];
  for (const pair of value.split(/[,;]/)) {
    const equals = pair.indexOf('=');
    const name = pair.slice(0, equals).trim().toLowerCase();
    if (name !== 'for' && name !== 'by') continue;
    nodes.push(
      pair
        .slice(equals + 1)
        .trim()
        .replaceAll('"', ''),
    );
  }
  return nodes;
}

function text(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === 'object' ? value.join(',') : value;
}

function forwardedFor(headers: IncomingHttpHeaders): readonly string[] {
  const forwarded = text(headers['forwarded']);
  const lists = [text(headers['x-forwarded-for']), text(headers['x-real-ip'])];
  const plain = lists.flatMap((list) => (list === undefined ? [] : list.split(',')));
  // A Forwarded header that names nobody hides somebody: its whole text stands for the address.
  const nodes = forwarded === undefined ? [] : forwardedNodes(forwarded);
  const named = forwarded !== undefined && nodes.length === 0 ? [forwarded] : nodes;
  return [...named, ...plain.map((each) => each.trim())];
}

function countOf(name: string, rawHeaders: readonly string[]): number {
  return rawHeaders.filter((each, index) => index % 2 === 0 && each.toLowerCase() === name).length;
}

/** Why this request does not come from a program of this machine, or undefined if it does. */
export function whyNotLocal(question: LocalQuestion): string | undefined {
  const { headers, rawHeaders, method, path } = question;
  const host = headers.host === undefined ? undefined : localHost(headers.host);
  if (host === undefined || countOf('host', rawHeaders) !== 1) {
    return 'the Host header must be localhost, 127.x.x.x or [::1]';
  }
  const origin = headers.origin;
  if (origin !== undefined) {
    const from = origin.toLowerCase().startsWith('http://')
      ? localHost(origin.slice(7))
      : undefined;
    if (from !== host) return 'the Origin header names another place than the Host header';
  }
  const site = text(headers['sec-fetch-site']);
  if (site !== undefined && site !== 'same-origin' && site !== 'none') {
    const opensPage = headers['sec-fetch-mode'] === 'navigate' && path === '/';
    if (!(opensPage && (method === 'GET' || method === 'HEAD'))) {
      return 'the Sec-Fetch-Site header says that another site asks';
    }
  }
  const stranger = forwardedFor(headers).find((node) => !isLoopback(withoutPort(node)));
  if (stranger !== undefined) return 'a proxy forwards it for another machine';
  return undefined;
}
