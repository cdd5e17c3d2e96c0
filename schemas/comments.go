package schemas

// withoutComments puts blanks in the place of comments, // to the end of the line and /* */, which
// Avro's Java parser passes over, so that schemas with them are in use. Lines stay where they are.
// text is not changed.
func withoutComments(text []byte) []byte {
	var out []byte // a copy, once there is a comment
	for at := 0; at < len(text); {
		switch end := commentEnd(text, at); {
		case end > at:
			if out == nil {
				out = append([]byte{}, text...)
			}
			blank(out[at:end])
			at = end
		case text[at] == '"':
			at = stringEnd(text, at)
		default:
			at++
		}
	}
	if out == nil {
		return text
	}
	return out
}

// commentEnd is where the comment that begins at a place ends; the place itself where none begins.
func commentEnd(text []byte, at int) int {
	if text[at] != '/' || at+1 == len(text) || text[at+1] != '/' && text[at+1] != '*' {
		return at
	}
	if text[at+1] == '/' {
		for at < len(text) && text[at] != '\n' {
			at++
		}
		return at
	}
	for at += 2; at+1 < len(text); at++ {
		if text[at] == '*' && text[at+1] == '/' {
			return at + 2
		}
	}
	return len(text)
}

// stringEnd is behind the string that begins at a place.
func stringEnd(text []byte, at int) int {
	for at++; at < len(text); at++ {
		switch text[at] {
		case '\\':
			at++
		case '"':
			return at + 1
		}
	}
	return len(text)
}

func blank(text []byte) {
	for i := range text {
		if text[i] != '\n' {
			text[i] = ' '
		}
	}
}
