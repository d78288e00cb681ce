namespace ConntrackPS.Diagnosis;

/// <summary>Sorts no more of a long list than is looked at.</summary>
internal static class PartialSort
{
    /// <summary>Below so many items sorting beats partitioning.</summary>
    private const int Few = 24;

    /// <summary>With so many times more items than places a heap beats partitioning.</summary>
    private const int Many = 16;

    /// <summary>Puts those items in their places that a full sort would put into a window; all others stand before it or
    /// behind it, in any order. Takes about as many comparisons as there are items, wherever the window is.</summary>
    /// <param name="items">The items; they are moved about.</param>
    /// <param name="start">The window's first place.</param>
    /// <param name="length">How many places the window has; what hangs over the end is ignored.</param>
    /// <param name="order">Decides between two items; equal ones may come in any order.</param>
    public static void Window<T, TOrder>(Span<T> items, int start, int length, TOrder order)
        where TOrder : IComparer<T>
    {
        start = Math.Clamp(start, 0, items.Length);
        length = Math.Clamp(length, 0, items.Length - start);
        if (length == 0)
            return;
        Place(items, start, order);
        Span<T> rest = items[start..];
        if (length <= rest.Length / Many)
            PlaceFew(rest, length, order);
        else if (length < rest.Length)
            Place(rest, length, order);
        rest[..length].Sort(order);
    }

    /// <summary>Makes a few items come before all others, with one comparison for nearly each of the others: a heap holds
    /// the best so far, the worst of them on top.</summary>
    private static void PlaceFew<T, TOrder>(Span<T> items, int count, TOrder order)
        where TOrder : IComparer<T>
    {
        Span<T> heap = items[..count];
        for (int i = count / 2 - 1; i >= 0; i--)
            SiftDown(heap, i, order);
        for (int i = count; i < items.Length; i++)
        {
            if (order.Compare(items[i], heap[0]) >= 0)
                continue;
            (items[i], heap[0]) = (heap[0], items[i]);
            SiftDown(heap, 0, order);
        }
    }

    private static void SiftDown<T, TOrder>(Span<T> heap, int place, TOrder order)
        where TOrder : IComparer<T>
    {
        while (2 * place + 1 < heap.Length)
        {
            int child = 2 * place + 1;
            if (child + 1 < heap.Length && order.Compare(heap[child], heap[child + 1]) < 0)
                child++;
            if (order.Compare(heap[place], heap[child]) >= 0)
                return;
            (heap[place], heap[child]) = (heap[child], heap[place]);
            place = child;
        }
    }

    /// <summary>Makes all items before a place come before all others (quickselect, with the middle of three as pivot).</summary>
    private static void Place<T, TOrder>(Span<T> items, int place, TOrder order)
        where TOrder : IComparer<T>
    {
        // Unlucky pivots would make it quadratic: past this many partitions it sorts, which never is.
        int partitions = 2 * System.Numerics.BitOperations.Log2((uint)items.Length + 1) + 8;
        while (items.Length > Few && partitions-- > 0)
        {
            if (place == 0)
                return;

            int split = Partition(items, order);
            if (place <= split)
            {
                items = items[..(split + 1)];
            }
            else
            {
                items = items[(split + 1)..];
                place -= split + 1;
            }
        }

        items.Sort(order);
    }

    /// <summary>Hoare's partition.</summary>
    /// <returns>The last place of the lower part; at least one item stands behind it.</returns>
    private static int Partition<T, TOrder>(Span<T> items, TOrder order)
        where TOrder : IComparer<T>
    {
        T pivot = MiddleOf(items[0], items[items.Length / 2], items[^1], order);
        int low = -1, high = items.Length;
        while (true)
        {
            do
                low++;
            while (order.Compare(items[low], pivot) < 0);
            do
                high--;
            while (order.Compare(items[high], pivot) > 0);
            if (low >= high)
                return Math.Min(high, items.Length - 2);
            (items[low], items[high]) = (items[high], items[low]);
        }
    }

    private static T MiddleOf<T, TOrder>(T first, T second, T third, TOrder order)
        where TOrder : IComparer<T>
    {
        if (order.Compare(first, second) > 0)
            (first, second) = (second, first);
        if (order.Compare(second, third) <= 0)
            return second;
        return order.Compare(first, third) > 0 ? first : third;
    }
}
