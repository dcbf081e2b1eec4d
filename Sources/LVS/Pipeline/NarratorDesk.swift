import Synchronization

/// Where another thread asks a worker for stories, and finds them: a worker's own narrator is nobody
/// else's business.
///
/// A lock is taken for a request and for each story; otherwise a worker looks at one word a burst.
package final class NarratorDesk: Sendable {
    /// Which packets are wanted.
    package typealias Filter = @Sendable (_ packet: Packet) -> Bool

    /// How much is wanted, and of which packets.
    private struct Request: Sendable {
        var terms: Narrator.Terms
        var filter: Filter
    }

    private struct State: Sendable {
        /// nil asks the worker to stop.
        var request: Request?
        var stories: [Story] = []
        /// Bytes of memory that the stories take.
        var bytes = 0
        var lost: UInt64 = 0
    }

    /// Stories, and how many there are none of because these and earlier ones were not taken in time.
    package struct Delivery: Sendable {
        package var stories: [Story]
        package var lost: UInt64
    }

    /// Set when `state` holds a request that the worker has not seen; pairs with the worker's exchange.
    private let hasNews = Atomic<Bool>(false)
    private let state = Mutex(State())

    init() {}

    // MARK: Any thread

    /// Asks for the stories of the next packets that the filter wants; earlier stories, and what was
    /// asked before, are forgotten.
    package func ask(most: Int, _ filter: @escaping Filter) {
        ask(Narrator.Terms(most: most), filter)
    }

    /// As above, with everything else that there is to be said of how much is kept.
    package func ask(_ terms: Narrator.Terms, _ filter: @escaping Filter) {
        state.withLock { state in
            state = State(request: Request(terms: terms, filter: filter))
        }
        hasNews.store(true, ordering: .releasing)
    }

    /// Wants no more stories.
    package func stop() {
        state.withLock { $0 = State() }
        hasNews.store(true, ordering: .releasing)
    }

    /// The stories since the last call.
    package func takeStories() -> [Story] { take().stories }

    /// The stories since the last call, and what was lost meanwhile.
    package func take() -> Delivery {
        state.withLock { state in
            defer { state = State(request: state.request) }
            return Delivery(stories: state.stories, lost: state.lost)
        }
    }

    // MARK: Worker

    /// True when there is a request, or an end of one, that the worker has not seen.
    @inline(__always)
    var isWaiting: Bool { hasNews.load(ordering: .relaxed) }

    /// The narrator that is asked for now; nil for none.
    func takeRequest() -> Narrator? {
        _ = hasNews.exchange(false, ordering: .acquiring)
        guard let request = state.withLock({ $0.request }) else { return nil }
        return Narrator(request.terms) { _, packet in request.filter(packet) }
    }

    /// Bytes of stories that nobody has taken yet.
    var waitingBytes: Int { state.withLock { $0.bytes } }

    /// Hands stories over, unless nobody wants them any more; a newer request has its own coming.
    func deliver(_ stories: [Story], lost: UInt64) {
        guard !isWaiting, !stories.isEmpty || lost != 0 else { return }
        state.withLock { state in
            guard state.request != nil else { return }
            state.stories += stories
            state.bytes += stories.reduce(0) { $0 + $1.memoryBytes }
            state.lost += lost
        }
    }
}
