internal import LVS

/// The stories that a replay's narrator tells, one for each packet.
struct StoryQueue {
    private let narrator: Narrator
    private var stories: ArraySlice<Story> = []

    init(of narrator: Narrator) { self.narrator = narrator }

    /// Whether none is left of those that were told with the last one.
    var isEmpty: Bool { stories.isEmpty }

    /// The next packet's; nil when it was not told.
    mutating func next() -> Story? {
        // A burst's stories come all at once, before its verdicts.
        if stories.isEmpty { stories = narrator.takeStories()[...] }
        return stories.popFirst()
    }
}
