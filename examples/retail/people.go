package retail

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// person is somebody who shops. All of it follows from the seed and the number.
type person struct {
	number   int
	first    string
	last     string
	city     string
	customer string   // customer number
	loyalty  string   // loyalty number, empty for who has no card
	emails   []string // in the order of use
	phone    string   // as people write it
	cookies  []string // one per device
	tablet   string   // the cookie of the household's tablet, empty where there is none
	kiosk    string   // the cookie of a kiosk in a store, empty for who does not use it
	store    string
}

var (
	firstNames = []string{"Ada", "Bea", "Cy", "Dev", "Ewa", "Finn", "Gus", "Hana", "Ines", "Jo"}
	lastNames  = []string{"Archer", "Baker", "Cooper", "Dyer", "Fisher", "Glover", "Mason"}
	cities     = []string{"Leeds", "Bristol", "Cardiff", "Belfast", "Glasgow"}
	stores     = []string{"leeds-1", "bristol-1", "cardiff-1", "glasgow-1"}
	mailHosts  = []string{"example.com", "example.org", "example.net"}

	// phoneRanges are numbers set aside for drama, a thousand in each.
	phoneRanges = []string{
		"020 7946 0", "0113 496 0", "0114 496 0", "0116 496 0", "0117 496 0", "0118 496 0",
		"0121 496 0", "0131 496 0", "0141 496 0", "0151 496 0", "0161 496 0",
	}
)

// householdSize is how many people live together; all but the last use the tablet.
const householdSize = 3

// person makes the person of that number.
func (s *shop) person(number int) person {
	rng := s.rng(number, peopleStream)
	p := person{
		number:   number,
		first:    pick(rng, firstNames),
		last:     pick(rng, lastNames),
		city:     pick(rng, cities),
		customer: fmt.Sprintf("C%06d", number),
		store:    pick(rng, stores),
		phone:    phone(rng, number),
	}
	user := strings.ToLower(fmt.Sprintf("%s.%s%d", p.first, p.last, number))
	host := rng.IntN(len(mailHosts))
	p.emails = []string{
		user + "@" + mailHosts[host],
		user + "@" + mailHosts[(host+1)%len(mailHosts)],
	}
	for range 1 + rng.IntN(4) {
		p.cookies = append(p.cookies, fmt.Sprintf("ck-%016x", rng.Uint64()))
	}
	if rng.IntN(100) < 60 {
		p.loyalty = fmt.Sprintf("L%08d", 40_000_000+number)
	}
	if number%householdSize < householdSize-1 {
		p.tablet = fmt.Sprintf("tablet-%06d", number/householdSize)
	}
	if rng.IntN(100) < 20 {
		p.kiosk = "kiosk-" + p.store
	}
	return p
}

// phone writes a number in one of the ways people do.
func phone(rng *rand.Rand, number int) string {
	area := phoneRanges[number/1000%len(phoneRanges)]
	national := fmt.Sprintf("%s%03d", area, number%1000)
	switch rng.IntN(3) {
	case 0:
		return "+44 " + strings.TrimPrefix(national, "0")
	case 1:
		return strings.ReplaceAll(national, " ", "")
	}
	return national
}

func pick[T any](rng *rand.Rand, from []T) T { return from[rng.IntN(len(from))] }

// chance is true in percent of a hundred cases.
func chance(rng *rand.Rand, percent int) bool { return rng.IntN(100) < percent }
