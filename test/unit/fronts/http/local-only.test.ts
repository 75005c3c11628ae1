import t from 'tap';
import { whyNotLocal } from '../../../../src/fronts/http/local-only.ts';

type Headers = Record<string, string>;

function ask(headers: Headers, path = '/write', method = 'POST') {
  const rawHeaders = Object.entries(headers).flat();
  return whyNotLocal({ method, path, headers, rawHeaders });
}

const host = '127.0.0.1:8086';

t.test('programs of this machine are let in', (t) => {
  const good: Headers[] = [
    { host: 'localhost' },
    { host: 'LOCALHOST:8086' },
    { host },
    { host: '127.255.0.9' },
    { host: '[::1]:8086' },
    { host, origin: `http://${host}` },
    { host: 'localhost', origin: 'http://localhost' },
    { host: 'localhost:80', origin: 'http://localhost' },
    { host, 'sec-fetch-site': 'same-origin' },
    { host, 'sec-fetch-site': 'none' },
    { host, 'x-forwarded-for': '127.0.0.1' },
    { host, 'x-forwarded-for': '127.0.0.1, ::1, ::ffff:127.0.0.1, 127.0.0.1:99' },
    { host, 'x-real-ip': '::1' },
    { host, forwarded: 'for=127.0.0.1;proto=http, for="[::1]:4711"' },
  ];
  for (const headers of good) t.equal(ask(headers), undefined, JSON.stringify(headers));
  t.end();
});

t.test('everybody else is told why not', (t) => {
  const bad: [Headers, RegExp][] = [
    [{}, /Host/],
    [{ host: '' }, /Host/],
    [{ host: 'gateway:8086' }, /Host/],
    [{ host: 'localhost.' }, /Host/],
    [{ host: 'localhost.example' }, /Host/],
    [{ host: '127.0.0.1.nip.io' }, /Host/],
    [{ host: '127.0.0.999' }, /Host/],
    [{ host: '192.168.1.5:8086' }, /Host/],
    [{ host: '[::2]:8086' }, /Host/],
    [{ host: '::1' }, /Host/],
    [{ host: 'localhost:8086 ' }, /Host/],
    [{ host, origin: 'null' }, /Origin/],
    [{ host, origin: 'http://localhost:8086' }, /Origin/],
    [{ host, origin: `https://${host}` }, /Origin/],
    [{ host, origin: 'http://127.0.0.1:9999' }, /Origin/],
    [{ host, origin: 'https://evil.example' }, /Origin/],
    [{ host, 'sec-fetch-site': 'cross-site' }, /Sec-Fetch-Site/],
    [{ host, 'sec-fetch-site': 'same-site' }, /Sec-Fetch-Site/],
    [{ host, 'x-forwarded-for': '192.168.1.9' }, /proxy/],
    [{ host, 'x-forwarded-for': '127.0.0.1, 10.0.0.1' }, /proxy/],
    [{ host, 'x-forwarded-for': 'unknown' }, /proxy/],
    [{ host, 'x-forwarded-for': '' }, /proxy/],
    [{ host, 'x-real-ip': '10.0.0.1' }, /proxy/],
    [{ host, forwarded: 'for=10.0.0.1' }, /proxy/],
    [{ host, forwarded: 'for=127.0.0.1, for=_hidden' }, /proxy/],
    [{ host, forwarded: 'proto=https' }, /proxy/],
  ];
  for (const [headers, reason] of bad) t.match(ask(headers), reason, JSON.stringify(headers));
  t.end();
});

t.test('a Host header that came twice is refused', (t) => {
  const rawHeaders = ['Host', host, 'host', 'evil.example'];
  t.match(whyNotLocal({ method: 'GET', path: '/', headers: { host }, rawHeaders }), /Host/);
  t.end();
});

t.test('a link from elsewhere may open the page and nothing else', (t) => {
  const headers = { host, 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' };
  t.equal(ask(headers, '/', 'GET'), undefined);
  t.match(ask(headers, '/', 'POST'), /Sec-Fetch-Site/);
  t.match(ask(headers, '/query', 'GET'), /Sec-Fetch-Site/);
  t.match(ask({ ...headers, 'sec-fetch-mode': 'no-cors' }, '/', 'GET'), /Sec-Fetch-Site/);
  t.end();
});
