package import LVS

extension Replay {
    /// What would become of a packet now, after all that were taken so far; the director is changed by
    /// it as it would be.
    package func explanation(of hypothesis: Hypothesis) throws(HypothesisError) -> Explanation {
        flush()
        return try hypothesis.explanation(on: director, now: time)
    }

    /// Decides what waits, and tells the stories of the packets from here on to a narrator; nil ends
    /// that.
    package func tell(_ narrator: Narrator?) {
        flush()
        director.workers[0].narrator = narrator
    }
}

extension ReplayRun {
    /// Plays up to a packet and explains what becomes of it; nil when the capture ends before it, or
    /// when the packet never came to the director (`absence` says why).
    package func explanation(ofPacket wanted: UInt64) -> Explanation? {
        while number + 1 < wanted, step() {}
        guard number + 1 == wanted else { return nil }
        let narrator = Narrator(most: 1)
        replay.tell(narrator)
        defer { replay.tell(nil) }
        guard step() else { return nil }
        replay.flush()
        return narrator.takeStories().first.map { Explanation($0, of: replay.director) }
    }

    /// Why the last packet has no explanation.
    package func absence(ofPacket wanted: UInt64, before: Replay.Counts) -> String {
        guard number >= wanted else { return "the capture has \(number) packets" }
        if replay.counts.own > before.own { return "the director's own interface sent it" }
        if replay.counts.foreign > before.foreign {
            return "it is for another machine's Ethernet address"
        }
        return remarks.last ?? "the capture says that the director sent it"
    }
}
