import Synchronization

/// Where another thread asks a worker for stories, and finds them: a worker's own narrator is nobody
/// else's business.
///
/// A lock is taken for a request and for each story; otherwise a worker looks at one word a burst.
package final class NarratorDesk: Sendable {
    /// Which packets are wanted.
    package typealias Filter = @Sendable (_ packet: Packet) -> Bool

    /// How many stories, and of which packets.
    private struct Request: Sendable {
        var most: Int
        var filter: Filter
    }

    private struct State: Sendable {
        /// nil asks the worker to stop.
        var request: Request?
        var stories: [Story] = []
    }

    /// Set when `state` holds a request that the worker has not seen; pairs with the worker's exchange.
    private let hasNews = Atomic<Bool>(false)
    private let state = Mutex(State())

    init() {}

    // MARK: Any thread

    /// Asks for the stories of the next packets that the filter wants; earlier stories, and what was
    /// asked before, are forgotten.
    package func ask(most: Int, _ filter: @escaping Filter) {
        state.withLock { state in
            state.request = Request(most: most, filter: filter)
            state.stories = []
        }
        hasNews.store(true, ordering: .releasing)
    }

    /// Wants no more stories.
    package func stop() {
        state.withLock { $0 = State() }
        hasNews.store(true, ordering: .releasing)
    }

    /// The stories since the last call.
    package func takeStories() -> [Story] {
        state.withLock { state in
            defer { state.stories = [] }
            return state.stories
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
        return Narrator(most: request.most) { _, packet in request.filter(packet) }
    }

    /// Hands stories over, unless nobody wants them any more; a newer request has its own coming.
    func deliver(_ stories: [Story]) {
        guard !stories.isEmpty, !isWaiting else { return }
        state.withLock { state in
            if state.request != nil { state.stories += stories }
        }
    }
}
