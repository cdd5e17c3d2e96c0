package retail

import (
	"encoding/json"
	"fmt"
	"math/big"

	"github.com/linkedin/goavro/v2"
)

// obj is a JSON object. A nil value is null.
type obj map[string]any

// json encodes o with its keys sorted.
func (o obj) json() []byte {
	text, err := json.Marshal(o)
	if err != nil {
		// invariant: an obj holds text, numbers, truth values and more of the kind
		panic(fmt.Sprintf("retail: encoding JSON: %v", err))
	}
	return text
}

// cents is an amount of money in hundredths.
type cents int64

func (c cents) number() json.Number { return json.Number(fmt.Sprintf("%d.%02d", c/100, c%100)) }

func (c cents) rat() *big.Rat { return big.NewRat(int64(c), 100) }

func jsonItems(lines []line) []obj {
	items := make([]obj, len(lines))
	for i, bought := range lines {
		items[i] = obj{
			"sku": bought.sku, "quantity": bought.quantity, "price": bought.price.number(),
		}
	}
	return items
}

func avroItems(lines []line) []any {
	items := make([]any, len(lines))
	for i, bought := range lines {
		items[i] = map[string]any{
			"sku": bought.sku, "quantity": bought.quantity, "price": bought.price.rat(),
		}
	}
	return items
}

// optional is the Avro union of null and string; empty is null.
func optional(text string) any {
	if text == "" {
		return nil
	}
	return goavro.Union("string", text)
}

// codec encodes bare Avro in one of the embedded schemas.
type codec struct {
	avro *goavro.Codec
}

func newCodec(file string) *codec {
	text, err := schemas.ReadFile(file)
	if err != nil {
		panic(fmt.Sprintf("retail: reading schema: %v", err)) // invariant: it is embedded
	}
	avro, err := goavro.NewCodec(string(text))
	if err != nil {
		panic(fmt.Sprintf("retail: parsing %s: %v", file, err)) // invariant: it is tested
	}
	return &codec{avro: avro}
}

func (c *codec) encode(native map[string]any) []byte {
	binary, err := c.avro.BinaryFromNative(nil, native)
	if err != nil {
		panic(fmt.Sprintf("retail: encoding Avro: %v", err)) // invariant: built from the schema
	}
	return binary
}
