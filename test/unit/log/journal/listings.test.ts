/** Listings of the catalog: whole, piece by piece, bounded, whatever is committed meanwhile. */
import t from 'tap';
import type { FileFacts } from '../../../../src/base/model/commit.ts';
import { Listings, type ListingPiece } from '../../../../src/log/journal/listings.ts';
import { LiveState } from '../../../../src/log/journal/live-state.ts';
import { fileFacts } from '../../../support/catalog-model.ts';

function filled(files: readonly FileFacts[]): LiveState {
  const state = new LiveState();
  state.apply({ number: 1, kind: 'flush', adds: files });
  return state;
}

const manyFiles = (count: number, over: Partial<FileFacts> = {}) =>
  Array.from({ length: count }, (_, at) => fileFacts(at + 1, 16, [at + 1, at + 1], over));

const noStatistics = () => [];

function* piecesOf(listings: Listings, id: number): Iterable<ListingPiece> {
  for (;;) {
    const piece = listings.next(id);
    yield piece;
    if (piece.isLast) return;
  }
}

t.test('all pieces together are the files of the moment at which it was opened', (t) => {
  const files = manyFiles(3000);
  const state = filled(files);
  const listings = new Listings(noStatistics);
  listings.open(7, state, false);
  const pieces = [listings.next(7)];
  state.apply({
    number: 2,
    kind: 'job',
    adds: [fileFacts(9000, 16, [9000, 9000])],
    removes: [2999, 3000].map((id) => ({ id, reason: 'compact' })),
  });
  listings.open(8, state, false);
  pieces.push(...piecesOf(listings, 7));
  t.strictSame(
    pieces.flatMap((piece) => piece.files),
    files,
  );
  t.ok(pieces.length > 5, 'in many pieces');
  const later = [...piecesOf(listings, 8)].flatMap((piece) => piece.files.map(({ id }) => id));
  t.same(later.slice(-2), [2998, 9000], 'another one is of its own moment');
  t.equal(later.length, 2999);
  t.end();
});

t.test('a piece is no larger where files have many columns or hours', (t) => {
  const hours = Array.from({ length: 24 }, (_, hour) => [hour, 0, 1] as const);
  const largest = (over: Partial<FileFacts>, hasStatistics: boolean) => {
    const listings = new Listings(noStatistics);
    listings.open(1, filled(manyFiles(2000, over)), hasStatistics);
    return Math.max(...[...piecesOf(listings, 1)].map(({ files }) => files.length));
  };
  t.ok(largest({ hours }, false) * 24 <= 1024);
  t.ok(largest({ columns: [[0, 99]] }, false) > 100, 'a run is one thing to copy');
  t.ok(largest({ columns: [[0, 99]] }, true) * 100 <= 1024, 'statistics of a run are many');
  t.equal(largest({ columns: [[0, 4999]] }, true), 1, 'a file is never left out');
  t.end();
});

t.test('statistics are asked of the index for each piece, only where they are wanted', (t) => {
  const asked: number[][] = [];
  const listings = new Listings((ids) => {
    asked.push([...ids]);
    return ids.slice(1).map((fileId) => ({ fileId, columns: [] }));
  });
  const state = filled(manyFiles(1000));
  listings.open(1, state, false);
  t.ok([...piecesOf(listings, 1)].every(({ statistics }) => statistics.length === 0));
  t.same(asked, []);
  listings.open(1, state, true);
  const pieces = [...piecesOf(listings, 1)];
  t.same(
    asked,
    pieces.map(({ files }) => files.map(({ id }) => id)),
  );
  t.ok(pieces.every(({ files, statistics }) => statistics.length === files.length - 1));
  t.end();
});

t.test('an empty catalog is one empty piece; what is closed or unknown is at its end', (t) => {
  const listings = new Listings(noStatistics);
  const end = { files: [], statistics: [], isLast: true };
  listings.open(1, new LiveState(), true);
  t.same(listings.next(1), end);
  listings.open(1, filled(manyFiles(3000)), false);
  t.equal(listings.next(1).isLast, false);
  listings.close(1);
  listings.close(1);
  t.same(listings.next(1), end);
  t.same(listings.next(5), end);
  t.end();
});
