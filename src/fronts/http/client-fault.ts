/**
 * What happens to a connection whose bytes are not HTTP, or do not come. Where a sender may have
 * rows under way, the connection is closed without an answer: any 4xx would make Telegraf drop
 * what it sends, a lost connection makes it try again.
 */
import type { Socket } from 'node:net';

/** Which dialect was meant is not known here: the text stands where each of them looks for it. */
function answer(status: string, code: string, text: string): string {
  const body = `${JSON.stringify({ success: false, error: text, message: text, code })}\n`;
  const head = [
    `HTTP/1.1 ${status}`,
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ];
  return `${head.join('\r\n')}\r\n\r\n${body}`;
}

/**
 * Ends a connection at which Node's parser gave up.
 * @param busy true if a request on this connection is being received or answered.
 */
export function settleClientFault(
  error: NodeJS.ErrnoException,
  socket: Socket,
  busy: boolean,
): void {
  const slow = error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
  if (slow || busy || !socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const tooLong = error.code === 'HPE_HEADER_OVERFLOW';
  const text = tooLong
    ? answer(
        '431 Request Header Fields Too Large',
        'http',
        'the header fields are too long or too many',
      )
    : answer('400 Bad Request', 'http', 'the request is not well-formed HTTP');
  socket.end(text);
}
