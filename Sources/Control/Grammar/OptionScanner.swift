/// Takes a line apart into options and words left over, by the rules of ipvsadm-cli section 1.
///
///     -Lnc            three options             -w3, -w=3, -w 3        letter with argument
///     --name=VALUE    --name VALUE              --                     ends the options
struct OptionScanner {
    /// One option as it was found.
    struct Item {
        var meaning: Spelling
        var argument: String?
        /// The word as typed, with letters glued to it, for messages.
        var word: String
    }

    private let words: [String]
    private var position = 0
    private var optionsEnded = false
    /// Whether `-z` is an option of the line: to every line of ipvsadm it is unknown.
    var takesLocal = false
    /// The letters of a glued word still to be read.
    private var glued: Substring = ""
    private var gluedWord = ""
    /// Words that are neither options nor their arguments, in order.
    private(set) var leftovers: [String] = []

    init(_ words: [String]) { self.words = words }

    /// The next option, nil at the end of the line.
    mutating func next() throws(CommandError) -> Item? {
        if !glued.isEmpty { return try nextLetter() }
        while position < words.count {
            let word = words[position]
            position += 1
            if optionsEnded || !word.hasPrefix("-") || word == "-" {
                leftovers.append(word)
            } else if word == "--" {
                optionsEnded = true
            } else if word.hasPrefix("--") {
                return try longOption(word)
            } else {
                glued = word.dropFirst()
                gluedWord = word
                return try nextLetter()
            }
        }
        return nil
    }

    private func row(where isMeant: (OptionRow) -> Bool) -> OptionRow? {
        guard let row = OptionRow.all.first(where: isMeant),
            takesLocal || row.meaning != .option(.localAddress)
        else { return nil }
        return row
    }

    private mutating func nextLetter() throws(CommandError) -> Item? {
        let letter = glued.removeFirst()
        guard let row = row(where: { $0.letter == letter }) else {
            throw .option(gluedWord, "unknown option")
        }
        guard row.argument != .none else {
            return Item(meaning: row.meaning, argument: nil, word: gluedWord)
        }
        var rest: String?
        if !glued.isEmpty {
            rest = String(glued.first == "=" ? glued.dropFirst() : glued)
            glued = ""
        }
        return try item(row, gluedArgument: rest, word: gluedWord)
    }

    private mutating func longOption(_ word: String) throws(CommandError) -> Item {
        let body = word.dropFirst(2)
        let name = body.prefix { $0 != "=" }
        guard let row = row(where: { $0.long == name }) else {
            throw .option(word, "unknown option")
        }
        let value =
            name.endIndex == body.endIndex ? nil : String(body[name.endIndex...].dropFirst())
        if row.argument == .none {
            guard value == nil else { throw .option(word, "option does not take an argument") }
            return Item(meaning: row.meaning, argument: nil, word: word)
        }
        return try item(row, gluedArgument: value, word: word)
    }

    private mutating func item(
        _ row: OptionRow, gluedArgument: String?, word: String
    ) throws(CommandError) -> Item {
        if let gluedArgument {
            return Item(meaning: row.meaning, argument: gluedArgument, word: word)
        }
        let following = position < words.count ? words[position] : nil
        if row.argument == .optional, following?.hasPrefix("-") != false {
            return Item(meaning: row.meaning, argument: nil, word: word)
        }
        guard let following else { throw .option(word, "missing argument") }
        position += 1
        return Item(meaning: row.meaning, argument: following, word: word)
    }
}
